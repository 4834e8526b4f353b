"""Who may act on an order from the storefront: its user, the session that placed it, and anyone who has its private link.

The link's key comes in the address once. The session then remembers it, and the pages have addresses with the order's number, so that
the key is in no log, history or Referer header.
"""

from collections.abc import Callable
from functools import wraps

from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare

from shop.models import Order

SESSION_KEY = "orders"
"""In the session: the orders that this visitor placed, newest last."""
LINKS_KEY = "order_links"
"""In the session: the orders whose private link this visitor opened, newest last."""
MOST_ORDERS = 20
RETURN_SALT = "shop.pay_return"
WAITING = (Order.PaymentStatus.UNPAID, Order.PaymentStatus.UNDERPAID)

OrderPage = Callable[[HttpRequest, Order], HttpResponse]


def remember_order(request: HttpRequest, order: Order) -> None:
    """Keep in the session that this visitor placed the order."""
    _remember(request, SESSION_KEY, order)


def own_orders(request: HttpRequest) -> QuerySet[Order]:
    """Select the orders that the visitor may see, newest first: the user's, and those that the session placed or has the link of."""
    return _orders(request, SESSION_KEY, LINKS_KEY)


def open_orders(request: HttpRequest) -> QuerySet[Order]:
    """Select the orders that the visitor has placed and that wait for a payment, newest first.

    Those of opened links are left out: anybody can send the link of their own order, and nobody must be led to pay for it.
    """
    return _orders(request, SESSION_KEY).filter(status=Order.Status.PENDING, payment_status__in=WAITING)


def return_token(number: str) -> str:
    """Sign an order's number, for the address to which a card's page sends the buyer back. It opens no more than the pay page."""
    return Signer(salt=RETURN_SALT).sign(number)


def read_return_token(token: str) -> str:
    """Return the order's number; empty for a token that this shop did not sign."""
    try:
        return Signer(salt=RETURN_SALT).unsign(token)
    except BadSignature:
        return ""


def _orders(request: HttpRequest, *names: str) -> QuerySet[Order]:
    """Select the user's orders, and those that the session has under these names, newest first."""
    known = {pk for name in names for pk in request.session.get(name, ())}
    if not known and request.user.pk is None:
        return Order.objects.none()
    is_mine = Q(pk__in=known) | Q(user=request.user.pk) if request.user.pk else Q(pk__in=known)
    return Order.objects.filter(is_mine).order_by("-created_at", "-id")


def open_order_number(request: HttpRequest) -> str:
    """Return the number of the newest of them; empty if there is none."""
    return open_orders(request).values_list("number", flat=True).first() or ""


def _remember(request: HttpRequest, name: str, order: Order) -> None:
    kept = request.session.get(name, [])
    if str(order.pk) not in kept:
        request.session[name] = [*kept, str(order.pk)][-MOST_ORDERS:]


def order_page(view: OrderPage) -> Callable[[HttpRequest, str], HttpResponse]:
    """Give the view the order of its address: by its number for those who may see it, or by the key, which is then left out."""

    @wraps(view)
    def found(request: HttpRequest, key: str) -> HttpResponse:
        if order := Order.objects.filter(access_token=key).first():
            _remember(request, LINKS_KEY, order)
            if request.method in ("GET", "HEAD"):
                return redirect(request.resolver_match.view_name, order.number)  # type: ignore[union-attr]
            return view(request, order)
        order = Order.objects.filter(number=key).first()
        if order is None or not _is_known(request, order):
            return render(request, "shop/order_locked.html", status=404)
        return view(request, order)

    return found


def may_change_payment(request: HttpRequest, order: Order) -> bool:
    """Tell whether the visitor may see the order and change how it is paid. The pay page's address is not enough: it can be shared."""
    if _is_known(request, order):
        return True
    if not constant_time_compare(request.GET.get("order", ""), order.access_token):
        return False
    _remember(request, LINKS_KEY, order)
    return True


def _is_known(request: HttpRequest, order: Order) -> bool:
    if order.user_id and order.user_id == request.user.pk:
        return True
    return any(str(order.pk) in request.session.get(name, ()) for name in (SESSION_KEY, LINKS_KEY))
