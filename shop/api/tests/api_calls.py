"""What the tests of the cart's and the orders' API send, and how they check an error."""

from typing import Any

from accounts.tests.factories import ApiClient
from shop.models import Product
from shop.tests.factories import ADDRESS


def order_body(*items: tuple[Product, int], **changes: Any) -> dict[str, Any]:
    """Return the body that orders these products and quantities in BTC. Without items it orders the cart."""
    body: dict[str, Any] = {"cryptocurrency": "BTC", "shippingAddress": ADDRESS, **changes}
    if items:
        body["items"] = [{"productId": str(product.pk), "quantity": quantity} for product, quantity in items]
    return body


def put_json(api: ApiClient, path: str, body: object) -> Any:
    return api.put(path, body, content_type="application/json")


def assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is this error in the envelope, and return the error."""
    body = response.json()
    assert (response.status_code, body["success"], body["error"]["code"]) == (status, False, code), body
    error: dict[str, Any] = body["error"]
    return error
