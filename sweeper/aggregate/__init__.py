"""From rows of runs to tasks, tables, statistics and verdicts in words."""
