"""A path parameter, a query parameter and a response model: what most endpoints do."""

from scenarios.loadkit.request import Request, json_body
from scenarios.loadkit.user import LeanUser

ITEM_ID, QUERY = 42, "lamp"


class Items(LeanUser):
    requests = (
        Request(
            path=f"/items/{ITEM_ID}?q={QUERY}",
            expect=json_body(
                lambda: {"item_id": ITEM_ID, "name": f"item {ITEM_ID}", "price": ITEM_ID * 1.5, "q": QUERY}
            ),
        ),
    )
