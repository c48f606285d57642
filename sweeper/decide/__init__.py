"""`python -m sweeper.decide`: adds seeds to arms until each pair is decided, by a rule that is fixed beforehand."""
