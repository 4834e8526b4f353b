"""Who may act on an order from the storefront: its user, the session that placed it, and anyone who has its private link."""

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from shop.models import Order

SESSION_KEY = "orders"
"""In the session: the orders that this visitor placed, newest last."""
MOST_ORDERS = 20


def remember_order(request: HttpRequest, order: Order) -> None:
    """Keep in the session that this visitor placed the order."""
    request.session[SESSION_KEY] = [*request.session.get(SESSION_KEY, []), str(order.pk)][-MOST_ORDERS:]


def may_change_payment(request: HttpRequest, order: Order) -> bool:
    """Tell whether the visitor may see the order and change how it is paid. The pay page's address is not enough: it can be shared."""
    if order.user_id and order.user_id == request.user.pk:
        return True
    if str(order.pk) in request.session.get(SESSION_KEY, ()):
        return True
    return constant_time_compare(request.GET.get("order", ""), order.access_token)
