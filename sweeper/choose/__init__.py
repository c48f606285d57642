"""`python -m sweeper.choose`: each optimizer's best setting of a search, confirmed by fresh seeds, as a preset."""
