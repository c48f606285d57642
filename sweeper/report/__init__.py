"""Draws the results of `aggregate`: the page and the figures."""
