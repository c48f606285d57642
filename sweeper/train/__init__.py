"""A sweep carried out: the entry point, the sweep, one run to its record."""
