"""A lean Locust user, open and closed loops that keep every raw value, and the agent that runs them.

Runs where only locust and numpy are installed: it imports nothing of the harness or of the app under test.
"""
