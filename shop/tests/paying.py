"""What a buyer and a chain do to an order, told as the follower would tell it."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from cryptons.db import atomic
from cryptons.money import Base
from payments.invoices.settlement import settle
from payments.models import Cursor, Invoice, Option
from payments.networks.base import Fact
from payments.sync.facts import store_facts
from shop.checkout.placing import place_order
from shop.models import Order
from shop.tests.factories import ADDRESS, NOW, CartItemFactory

TIP = 1_000
TXID = "a" * 64
LATE = NOW + timedelta(minutes=20)
"""After the invoice's fifteen minutes, within the hour's grace."""
TOO_LATE = NOW + timedelta(minutes=90)


def placed(*, at: datetime = NOW, user: User | None = None, **item: Any) -> Order:
    """An order of two kettles at 49.99, which needs two confirmations, placed through the front door."""
    line = CartItemFactory.create(**{"product__sku": "KETTLE", "quantity": 2, **item})
    return place_order(line.cart, email="ada@example.com", user=user, address=ADDRESS, network="BTC", at=at).order


def newest_option(order: Order) -> Option:
    return Option.objects.filter(invoice__subject_id=order.pk).latest("created_at")


def tell(
    order: Order,
    *,
    percent: int = 100,
    height: int | None = None,
    seen_at: datetime | None = None,
    at: datetime | None = None,
    reference: str = f"{TXID}:0",
    present: bool = True,
    conflicted: bool = False,
    option: Option | None = None,
) -> None:
    """A fact about money for the order comes in and is settled, at NOW and a minute and for its newest quote unless told otherwise."""
    at = at or order.created_at + timedelta(minutes=1)
    option = option or newest_option(order)
    fact = Fact(
        reference=reference,
        destination=option.destination,
        amount_base=Base(option.due_base * percent // 100),
        first_seen_at=seen_at or order.created_at + timedelta(minutes=1),
        height=height,
        is_present=present,
        is_conflicted=conflicted,
    )
    Cursor.objects.update_or_create(network=option.network, defaults={"tip_height": TIP})
    with atomic():
        store_facts(option.network, [fact])
    settle(option.invoice_id, at=at)
    order.refresh_from_db()


def pay(order: Order, **more: Any) -> None:
    """Paid in full, and deep enough."""
    tell(order, height=TIP - 1, **more)


def run_out(order: Order, *, at: datetime | None = None) -> None:
    """The time to pay is over."""
    settle(newest_option(order).invoice_id, at=at or order.created_at + timedelta(minutes=20))
    order.refresh_from_db()


def open_order(**more: Any) -> Order:
    """As `placed`, but on the real clock: what the pages look at."""
    return placed(at=timezone.now(), **more)


def invoice_of(order: Order) -> Invoice:
    return Invoice.objects.get(subject_id=order.pk)
