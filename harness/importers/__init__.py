"""Requests from what a team has already: a HAR, an access log or an OpenAPI document.

In: the file's text, lines or parsed document. Out: `Imported`, the requests with their weights and all that
was left out, in words. Nothing here reads files, runs anything or knows of planning and execution.
"""
