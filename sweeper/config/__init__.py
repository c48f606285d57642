"""From the command line to checked runs: schema, overrides, grid, targets, resolvers, search space. No torch."""
