"""The smallest answer the app has: measures the server, not the app."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser


class Root(LeanUser):
    requests = (Request(path="/", expect=json_body(lambda: {"message": "hello"})),)
