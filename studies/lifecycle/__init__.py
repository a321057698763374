"""What guides claim of start, stop, crash and reload of a server, put to the test (claims L1 to L11)."""
