"""Trains a sweep: the entry point, the sweep, and one run with its record."""
