"""The training loop of one run, and what makes it fast."""
