"""Permissions of the API, as strings that stand for Django's own: 401 without a login, 403 without the permission."""

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request


def _writing(app: str, model: str) -> dict[str, str]:
    """Return the right that each method needs: who may change a row may not for that reason add or delete one."""
    change = f"{app}.change_{model}"
    return {"POST": f"{app}.add_{model}", "PUT": change, "PATCH": change, "DELETE": f"{app}.delete_{model}"}


DJANGO_PERMISSIONS: dict[str, str | Mapping[str, str]] = {
    "products:read": "shop.view_product",
    "products:write": _writing("shop", "product"),
    "images:write": _writing("shop", "productimage"),
    "categories:write": _writing("shop", "category"),
    "orders:read": "shop.view_order",
    "orders:write": "shop.change_order",
    "payments:read": "payments.view_payment",
    "nodes:read": "payments.view_cursor",
    "reviews:moderate": {"PATCH": "reviews.change_review", "DELETE": "reviews.delete_review"},
    "settings:write": "settings.change_shopsettings",
    "stats:read": "shop.view_order",
    "payouts:send": "payments.add_payout",
    "webhooks:write": {**_writing("events", "webhookendpoint"), "GET": "events.view_webhookendpoint"},
    "api-keys:write": {**_writing("accounts", "apikey"), "GET": "accounts.view_apikey"},
}


ORDER_KEY = "X-Order-Key"


def is_person(user: Any) -> bool:
    """Return whether somebody is logged in, rather than a program by its API key, which has `scopes`."""
    return bool(user and user.is_authenticated and not hasattr(user, "scopes"))


class Authenticated(BasePermission):
    """Allows anybody who is logged in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_person(request.user)


class Anybody(BasePermission):
    """Allows guests too. A token that comes along must be good, because it decides who acts."""


class OrderReader(BasePermission):
    """Allows users, who see their own orders, and programs that may read those of all."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_person(request.user) or has_permission(request.user, "orders:read")


class OrderHolder(BasePermission):
    """Allows users, guests who send the key of an order, and reading to who may read all. The view decides which orders these see."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if is_person(request.user) or request.headers.get(ORDER_KEY):
            return True
        return request.method in SAFE_METHODS and has_permission(request.user, "orders:read")


def has_permission(user: Any, name: str, method: str = "GET") -> bool:
    """Return whether a member of staff, or an API key with this scope, has the right that the name stands for with this method."""
    right = DJANGO_PERMISSIONS[name]
    if not isinstance(right, str):
        right = right.get("GET" if method == "HEAD" else method, right["PATCH"])
    is_in_scope = name in getattr(user, "scopes", DJANGO_PERMISSIONS)
    return bool(is_in_scope and user.is_authenticated and user.is_staff and user.has_perm(right))


def may(name: str, method: str = "") -> type[BasePermission]:
    """Return a permission class for one of DJANGO_PERMISSIONS: `may("products:write")`. `method` decides instead of the request's."""

    class May(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            return has_permission(request.user, name, method or request.method or "")

    return May
