"""What the operating system offers: atomic files, locks, processes, limits, terminal, errors, random streams."""
