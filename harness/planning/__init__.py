"""Matrix to variants, rules to worker counts, cells to a plan. Pure."""
