"""The shop's tasks: thin shells around functions of the domain. A sweep finds what a lost message would have done."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from shop.cart import contents as carts
from shop.catalogue import changes, low_stock
from shop.catalogue.tasks import index_products
from shop.checkout import unpaid_limits
from shop.figures import counting, nightly
from shop.orders import lifecycle, order_link
from shop.search.base import IndexBusy, SearchUnavailable

__all__ = [
    "check_figures",
    "count_orders",
    "forget_old_carts",
    "index_products",
    "sweep_order_links",
    "sweep_orders",
    "sweep_search",
    "watch_stock",
]


@shared_task
def sweep_search() -> None:
    try:
        changes.sweep_search()
    except (IndexBusy, SearchUnavailable):
        return


@shared_task
def sweep_orders() -> None:
    lifecycle.cancel_abandoned_orders(at=timezone.now())
    unpaid_limits.forget_closed_slots(at=timezone.now())


@shared_task
def sweep_order_links() -> None:
    order_link.answer_link_requests(at=timezone.now())


@shared_task
def count_orders() -> None:
    counting.count_orders()


@shared_task
def check_figures() -> None:
    nightly.check_figures(at=timezone.now())


@shared_task
def watch_stock() -> None:
    if settings.STAFF_EMAIL and "stock" in settings.STAFF_MAILS:
        low_stock.tell_of_low_stock(at=timezone.now())


@shared_task
def forget_old_carts() -> None:
    carts.forget_old_carts(at=timezone.now())
