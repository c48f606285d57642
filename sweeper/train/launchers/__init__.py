"""The launchers, one file for each, behind one interface."""
