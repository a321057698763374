"""Trial records to samples, comparisons, verdicts. Pure."""
