"""One run's training loop, and what makes it fast."""
