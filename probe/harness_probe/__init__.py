"""The inside of an app as a measurement needs it: an ASGI wrapper that counts, and tells how it is served.

It runs in the app's own environment, whatever that holds: Python 3.9 and the standard library are enough.
"""
