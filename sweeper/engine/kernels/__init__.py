"""Fused blocks that the engine puts in place of a model's own."""
