"""Checks what this machine offers and whether training works on it."""
