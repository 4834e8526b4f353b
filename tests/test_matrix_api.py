"""Every route of the API × everybody: exactly those of the table may, and the others are told as the contract says and change nothing."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from accounts.tests.factories import ApiClient
from shop.tests.factories import ADDRESS
from tests.matrix.answers import YES, check
from tests.matrix.people import (
    ANONYMOUS,
    BOOKS,
    BUYER,
    CATALOGUE,
    DISABLED,
    EVERYBODY,
    GOODS,
    GUEST,
    LOGGED_IN,
    NOBODY,
    NODES,
    OLD_CODE,
    ORDERS,
    OWNER,
    READS_MONEY,
    People,
)
from tests.matrix.routes import operations
from tests.matrix.rows import Rows

pytestmark = pytest.mark.django_db(transaction=True)

REFRESH, SESSION = {"refresh token of a superuser"}, {"browser of a superuser"}
"""A refresh token where an access token belongs, and a session of the pages without a token."""
ALL = EVERYBODY | REFRESH | SESSION
TELLERS = ORDERS | BOOKS
"""The groups that see orders."""
HIDDEN = "404"
SLOW = "GET /api/schema"
"""Is made for each request: ask for it once."""
QUERIES = {"all": "?all=true", "file": "?format=csv", "unlisted": "?unlisted=true", "unlisted product": "?unlisted=true"}
ANYTHING: dict[str, Any] = {"nothing": "of this name"}
"""The body of routes that anybody or every user may use: who may is told by 400 that there is no such field."""


@dataclass(frozen=True)
class Route:
    """Who may, and what the others are told who are logged in: 404 where they must not learn whether the row exists."""

    who: set[str]
    refusal: str = "403"
    needs_code: bool = False
    """Whether those who may, and whose code of the second factor is too old, are sent to log in again."""
    told: str = YES
    """What those who may are told: 404 where this shop has nothing of the kind, while the others get a 403."""


EVERY, UNSIGNED = Route(ALL), Route(NOBODY, refusal="401")
USERS = Route(LOGGED_IN)
KEYS = Route(OWNER - OLD_CODE, needs_code=True)
HOOKS = Route(OWNER)
OWN = Route(BUYER, refusal=HIDDEN)
OWN_OR_STAFF = Route(BUYER | TELLERS, refusal=HIDDEN)
ROUTES: dict[str, dict[str, Route]] = {
    "GET /api/schema": {"": EVERY},
    "GET /api/docs": {"": EVERY},
    "POST /api/auth/register": {"": EVERY},
    "POST /api/auth/login": {"": EVERY},
    "POST /api/auth/refresh": {"": EVERY},
    "POST /api/auth/logout": {"": USERS},
    "GET /api/auth/profile": {"": USERS},
    "PUT /api/auth/profile": {"": USERS},
    "PUT /api/auth/password": {"": USERS},
    "PUT /api/auth/email": {"": USERS},
    "POST /api/auth/password-reset": {"": EVERY},
    "POST /api/auth/password-reset/confirm": {"": EVERY},
    "POST /api/auth/verify-email": {"": EVERY},
    "POST /api/auth/verify-email/confirm": {"": EVERY},
    "POST /api/auth/email/confirm": {"": EVERY},
    "POST /api/auth/email/undo": {"": EVERY},
    "GET /api/api-keys": {"": KEYS},
    "POST /api/api-keys": {"": KEYS},
    "DELETE /api/api-keys/<str:key_id>": {"new apikey": KEYS},
    "GET /api/products": {"": EVERY, "unlisted": Route(GOODS)},
    "GET /api/products/suggest": {"": EVERY},
    "POST /api/products": {"": Route(CATALOGUE)},
    "PATCH /api/products": {"": Route(CATALOGUE)},
    "GET /api/products/<str:product_id>": {"product": EVERY, "unlisted product": Route(GOODS)},
    "PUT /api/products/<str:product_id>": {"product": Route(CATALOGUE)},
    "PATCH /api/products/<str:product_id>": {"product": Route(CATALOGUE)},
    "DELETE /api/products/<str:product_id>": {"new product": Route(CATALOGUE)},
    "POST /api/products/<str:product_id>/images": {"product": Route(CATALOGUE)},
    "PUT /api/products/<str:product_id>/images/order": {"product": Route(CATALOGUE)},
    "DELETE /api/products/<str:product_id>/images/<str:image_id>": {"new picture": Route(CATALOGUE)},
    "GET /api/categories": {"": EVERY},
    "POST /api/categories": {"": Route(CATALOGUE)},
    "GET /api/categories/<str:category_id>": {"category": EVERY},
    "PUT /api/categories/<str:category_id>": {"category": Route(CATALOGUE)},
    "DELETE /api/categories/<str:category_id>": {"new category": Route(CATALOGUE)},
    "GET /api/settings": {"": EVERY},
    "PATCH /api/settings": {"": Route(OWNER)},
    "GET /api/pages": {"": EVERY},
    "GET /api/pages/<str:slug>": {"published page": EVERY},
    "GET /api/cart": {"": USERS},
    "POST /api/cart/items": {"": USERS},
    "PUT /api/cart/items/<str:item_id>": {"buyer's item": OWN},
    "DELETE /api/cart/items/<str:item_id>": {"buyer's item": OWN},
    "POST /api/checkout/quote": {"": Route(ALL - DISABLED - REFRESH)},
    "GET /api/orders": {"": USERS, "all": Route(TELLERS)},
    "POST /api/orders": {"": Route(ALL - DISABLED - REFRESH)},
    "GET /api/orders/<str:order_id>": {"buyer's order": OWN_OR_STAFF, "guest's order": Route(GUEST | TELLERS, refusal=HIDDEN)},
    "GET /api/orders/<str:order_id>/events": {"buyer's order": OWN_OR_STAFF, "guest's order": Route(GUEST | TELLERS, refusal=HIDDEN)},
    "GET /api/orders/<str:order_id>/payment": {"buyer's order": OWN_OR_STAFF, "guest's order": Route(GUEST | TELLERS, refusal=HIDDEN)},
    "GET /api/orders/<str:order_id>/stream": {"buyer's order": OWN_OR_STAFF, "guest's order": Route(GUEST | TELLERS, refusal=HIDDEN)},
    "POST /api/orders/<str:order_id>/payment": {"buyer's order": OWN, "guest's order": Route(GUEST, refusal=HIDDEN)},
    "POST /api/orders/<str:order_id>/cancel": {"buyer's order": OWN, "guest's order": Route(GUEST, refusal=HIDDEN)},
    "PUT /api/orders/<str:order_id>/status": {"buyer's order": Route(ORDERS)},
    "GET /api/invoices/<str:invoice_id>": {"invoice": EVERY},
    "GET /api/invoices": {"": Route(READS_MONEY), "file": Route(READS_MONEY)},
    "GET /api/payments": {"": Route(READS_MONEY), "file": Route(READS_MONEY)},
    "GET /api/payouts": {"": Route(READS_MONEY), "file": Route(READS_MONEY)},
    "POST /api/payouts": {"": Route(NODES)},
    "GET /api/rates": {"": EVERY},
    "GET /api/admin/stats": {"": Route(TELLERS)},
    "GET /api/admin/analytics": {"": Route(TELLERS), "file": Route(TELLERS)},
    "GET /api/admin/health": {"": Route(TELLERS)},
    "GET /api/admin/lightning": {"": Route(NODES, told="404")},
    "GET /api/reviews": {"": Route(CATALOGUE)},
    "POST /api/reviews": {"": USERS},
    "GET /api/reviews/product/<str:product_id>": {"product": EVERY},
    "PATCH /api/reviews/<str:review_id>": {"buyer's review": Route(BUYER)},
    "DELETE /api/reviews/<str:review_id>": {"new review": Route(CATALOGUE)},
    "POST /api/reviews/<str:review_id>/helpful": {"buyer's review": USERS},
    "DELETE /api/reviews/<str:review_id>/helpful": {"buyer's review": USERS},
    "POST /api/reviews/<str:review_id>/approve": {"buyer's review": Route(CATALOGUE)},
    "POST /api/reviews/<str:review_id>/reject": {"buyer's review": Route(CATALOGUE)},
    "POST /api/webhooks/payment": {"": UNSIGNED},
    "POST /api/webhooks/stripe": {"": UNSIGNED},
    "POST /api/webhooks/sumsub": {"": UNSIGNED},
    "GET /api/webhook-endpoints": {"": HOOKS},
    "POST /api/webhook-endpoints": {"": HOOKS},
    "GET /api/webhook-endpoints/<str:endpoint_id>": {"endpoint": HOOKS},
    "PATCH /api/webhook-endpoints/<str:endpoint_id>": {"endpoint": HOOKS},
    "DELETE /api/webhook-endpoints/<str:endpoint_id>": {"new webhookendpoint": HOOKS},
    "POST /api/webhook-endpoints/<str:endpoint_id>/test": {"endpoint": HOOKS},
    "POST /api/webhook-endpoints/<str:endpoint_id>/rotate-secret": {"endpoint": HOOKS},
    "POST /api/webhook-endpoints/<str:endpoint_id>/redeliver": {"endpoint": HOOKS},
    "GET /api/webhook-deliveries": {"": HOOKS},
    "POST /api/webhook-deliveries/<str:delivery_id>/redeliver": {"delivery": HOOKS},
    "POST /api/sandbox/pay": {"": EVERY},
}


def bodies(rows: Rows, person: str) -> dict[str, Any]:
    """Return what works for each person who may; an order that is cancelled already is a 409 for the second one."""
    product = {"name": "Cup", "sku": f"CUP-{person}", "price": "5.00", "category": str(rows.product.category_id)}
    item = {"productId": str(rows.product.pk), "quantity": 1}
    return {
        "POST /api/products": product,
        "PATCH /api/products": {"products": [{"id": str(rows.product.pk), "stock": 1_000}]},
        "PUT /api/products/<str:product_id>": {**product, "sku": f"MUG-{person}"},
        "PATCH /api/products/<str:product_id>": {"price": "6.00"},
        "POST /api/categories": {"name": f"Cups of {person}"},
        "PUT /api/categories/<str:category_id>": {"name": f"Mugs of {person}"},
        "PATCH /api/settings": {"name": f"Shop of {person}"},
        "PUT /api/auth/profile": {"firstName": "Eve"},
        "POST /api/api-keys": {"name": f"Program of {person}", "scopes": ["orders:read"]},
        "POST /api/webhook-endpoints": {"url": "https://erp.example/hooks", "events": ["order.paid"]},
        "PATCH /api/webhook-endpoints/<str:endpoint_id>": {"description": f"ERP of {person}"},
        "POST /api/webhook-endpoints/<str:endpoint_id>/redeliver": {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"},
        "POST /api/reviews": {"productId": str(rows.product.pk), "rating": 4, "comment": "Pours well."},
        "POST /api/cart/items": item,
        "PUT /api/cart/items/<str:item_id>": {"quantity": 2},
        "POST /api/checkout/quote": {"items": [item]},
        "POST /api/orders": {"email": "eve@example.com", "items": [item], "cryptocurrency": "BTC", "shippingAddress": ADDRESS},
        "POST /api/orders/<str:order_id>/payment": {},
        "POST /api/orders/<str:order_id>/cancel": {},
        "PUT /api/orders/<str:order_id>/status": {"status": "cancelled", "reason": "They asked for it."},
        "POST /api/payouts": {"invoiceId": str(rows.invoice.pk), "kind": "refund", "network": "BTC", "reason": "They asked for it."},
    }


def expected(operation: str, route: Route) -> dict[str, str]:
    """Say what each person is told: 401 without a login, else 403 or 404. Who has the key of an order is known where orders are."""
    known = LOGGED_IN | (GUEST if "/orders/" in operation and route.refusal == HIDDEN else NOBODY)
    asking = ANONYMOUS if operation == SLOW else ALL
    known = known - OLD_CODE if route.needs_code else known
    return {person: route.told if person in route.who else route.refusal if person in known else "401" for person in sorted(asking)}


def test_a_new_route_needs_a_line_in_the_table():
    assert operations() == set(ROUTES)


def test_exactly_those_of_the_table_may_use_each_route_of_the_api(settings):
    settings.STAFF_TWO_FACTOR, settings.SANDBOX, settings.VERIFICATION_PROVIDER = "required", True, "sumsub"
    settings.RATE_LIMIT_API = settings.RATE_LIMIT_AUTH = "100000/minute"
    people = People()
    rows = Rows(people)
    sent = {person: bodies(rows, person) for person in ALL}
    ids = {
        "product": rows.product.pk,
        "unlisted product": rows.unlisted.pk,
        "category": rows.product.category_id,
        "buyer's item": rows.cart_item.pk,
        "buyer's order": rows.order.pk,
        "guest's order": rows.guests.pk,
        "invoice": rows.invoice.pk,
        "published page": rows.page.slug,
        "endpoint": rows.endpoint.pk,
        "buyer's review": rows.review.pk,
        "delivery": rows.delivery.pk,
    }
    doomed = {
        (f"new {name.rpartition('_')[2]}", person): rows.fresh(name).pk
        for name in ("shop_product", "shop_category", "accounts_apikey", "events_webhookendpoint", "reviews_review")
        for person in sorted(ALL)
    }
    doomed |= {("new picture", person): f"{rows.product.pk}/images/{rows.fresh('shop_productimage').pk}" for person in sorted(ALL)}
    clients: dict[str, Client] = {name: people.program(name) for name in people.names}
    clients |= {min(REFRESH): people.with_refresh_token("superuser"), min(SESSION): people.browser("superuser")}
    clients |= {min(GUEST): ApiClient(HTTP_X_ORDER_KEY=rows.guests.access_token)}
    routes = {f"{operation} ({row})": (operation, row, route) for operation, lines in ROUTES.items() for row, route in lines.items()}

    def ask(name: str, person: str) -> Any:
        operation, row, _route = routes[name]
        method, address = operation.split(" ")
        pk = doomed[row, person] if row.startswith("new ") else ids.get(row, "")
        path = re.sub(r"<.+>", str(pk), address) + QUERIES.get(row, "")
        body, kind = ("" if method == "GET" else json.dumps(sent[person].get(operation, ANYTHING))), "application/json"
        if address.endswith("/images"):
            body, kind = encode_multipart(BOUNDARY, {}).decode(), MULTIPART_CONTENT
        return clients[person].generic(method, path, body, kind)

    check({name: expected(operation, route) for name, (operation, _row, route) in routes.items()}, ask)
