"""Servers whose truth is known, to measure the harness itself against (`harness study selfcheck`).

Plain asyncio: they import nothing of the harness, of the app under test or of the load kit.
"""
