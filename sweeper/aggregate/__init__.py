"""Turns rows of runs into tasks, tables, statistics and verdicts in words."""
