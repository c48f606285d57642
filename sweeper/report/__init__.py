"""Draws what `aggregate` says: the page and the figures."""
