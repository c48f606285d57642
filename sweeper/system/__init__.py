"""The operating system as we want it: whole-or-nothing files, locks, processes, limits, terminal, errors."""
