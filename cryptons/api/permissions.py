"""Permissions of the API, as strings that stand for Django's own: 401 without a login, 403 without the permission."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

DJANGO_PERMISSIONS = {
    "products:write": "shop.change_product",
    "orders:read": "shop.view_order",
    "orders:write": "shop.change_order",
    "payments:read": "payments.view_payment",
    "nodes:read": "payments.view_cursor",
    "reviews:moderate": "reviews.change_review",
    "stats:read": "shop.view_order",
    "payouts:send": "payments.add_payout",
}


ORDER_KEY = "X-Order-Key"


class Authenticated(BasePermission):
    """Allows anybody who is logged in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class Anybody(BasePermission):
    """Allows guests too. A token that comes along must be good, because it decides who acts."""


class OrderHolder(BasePermission):
    """Allows users, and guests who send the key of an order. The view decides which orders these may see."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated or request.headers.get(ORDER_KEY))


def has_permission(user: Any, name: str) -> bool:
    return bool(user.is_authenticated and user.has_perm(DJANGO_PERMISSIONS[name]))


def may(name: str) -> type[BasePermission]:
    """Return a permission class for one of DJANGO_PERMISSIONS: `may("products:write")`."""

    class May(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            return has_permission(request.user, name)

    return May
