"""Links of the OpenAPI document: which routes take what an answer names, such as the id of an order that was placed."""

import re
from typing import Any

Shape = dict[str, Any]
Link = tuple[str, str, Shape]

INVOICE = "/data/payment/invoiceId"
LINKS: tuple[Link, ...] = (
    ("place_order", "get_status_of_invoice", {"invoice_id": INVOICE}),
    ("place_order", "play_sandbox_payment", {"requestBody": {"invoiceId": INVOICE, "play": "exact"}}),
    ("request_new_quote_for_order", "get_status_of_invoice", {"invoice_id": "/data/invoiceId"}),
    ("draft_payout", "get_status_of_invoice", {"invoice_id": "/data/invoiceId"}),
    ("create_product", "list_products_reviews", {"product_id": "/data/id"}),
    ("add_product_to_my_cart", "change_quantity_of_cart_item", {"item_id": "/data/items/0/id"}),
    ("add_product_to_my_cart", "remove_cart_item", {"item_id": "/data/items/0/id"}),
    ("make_webhook_endpoint", "list_webhook_deliveries", {"query.endpoint": "/data/id"}),
    ("send_test_event", "redeliver_webhook", {"delivery_id": "/data/id"}),
    ("register", "refresh_tokens", {"requestBody": {"refresh": "/data/refresh"}}),
    ("log_in", "refresh_tokens", {"requestBody": {"refresh": "/data/refresh"}}),
)
"""Those that the addresses do not show: from, to, and where the answer has each parameter."""


def add_links(result: Shape, **_: Any) -> Shape:
    """Link each answer to what is made with its routes: one of drf-spectacular's POSTPROCESSING_HOOKS."""
    operations = {operation["operationId"]: operation for methods in result["paths"].values() for operation in methods.values()}
    for source, target, values in (*_links_of_addresses(result), *LINKS):
        link: Shape = {"operationId": target}
        for name, value in values.items():
            if name == "requestBody":
                link[name] = {field: _expression(text) for field, text in value.items()}
            else:
                link.setdefault("parameters", {})[name] = _expression(value)
        if source == "place_order" and any("orderKey" in way for way in operations[target].get("security", ())):
            link["parameters"]["header.X-Order-Key"] = _expression("/data/accessKey")
        for status, answer in operations[source]["responses"].items():
            if status.startswith("2"):
                answer.setdefault("links", {})[target] = link
    return result


def _links_of_addresses(document: Shape) -> list[Link]:
    """What a POST to an address makes has its own address below: `/api/orders` makes `/api/orders/{order_id}`."""
    links: list[Link] = []
    for path, methods in document["paths"].items():
        if "201" not in methods.get("post", {}).get("responses", {}):
            continue
        given = {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", path)}
        for below, others in document["paths"].items():
            if made := re.match(rf"{re.escape(path)}/{{(\w+)}}", below):
                values = {**given, made[1]: "/data/id"}
                if set(re.findall(r"{(\w+)}", below)) == set(values):
                    links += [(methods["post"]["operationId"], operation["operationId"], values) for operation in others.values()]
    return links


def _expression(value: str) -> str:
    """Return OpenAPI's name of a value in the answer's body."""
    return f"$response.body#{value}" if value.startswith("/") else value
