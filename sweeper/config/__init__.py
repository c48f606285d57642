"""Turns a command line into validated runs: schema, overrides, grid, targets, resolvers, search space. No torch."""
