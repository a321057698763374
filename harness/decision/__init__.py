"""From what was measured to what a team does: comparisons of versions against thresholds, and advice.

Pure: it reads records and findings, and says what to measure next; it imports no engine, store or report.
"""
