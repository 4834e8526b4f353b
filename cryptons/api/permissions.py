"""Who may: 401 for nobody, 403 for somebody else. API permission strings stand for Django's own permissions."""

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


class Authenticated(BasePermission):
    """REST framework answers 401 when this refuses somebody who did not log in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


def has_permission(user: Any, name: str) -> bool:
    return bool(user.is_authenticated and user.has_perm(DJANGO_PERMISSIONS[name]))


def may(name: str) -> type[BasePermission]:
    """Make a permission class for one of the API's permissions: `may("products:write")`."""

    class May(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            return has_permission(request.user, name)

    return May
