"""Estimates the time and disk space of a sweep before it starts."""
