"""`python -m sweeper.tune`: a search, its confirmation and the comparison of what was chosen, in one command."""
