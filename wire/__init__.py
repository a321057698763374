"""What the harness and its load agent say to each other, one JSON message a line; imports neither of them."""

PROTOCOL = 5
"""Grows with every change that an older agent or harness would misunderstand."""
