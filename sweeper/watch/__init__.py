"""The live table of every run."""
