"""The example app that ships: an ordinary FastAPI service whose work is known, with nothing of a harness."""
