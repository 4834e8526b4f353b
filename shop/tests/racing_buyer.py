"""One process of the race: reads a JSON command a line, answers with a JSON line. Started by test_race.py with a database of its own."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID


def prepare(left: int, buyers: int) -> dict[str, Any]:
    """A product of which so many are left, and a cart with one of it for each buyer."""
    from shop.tests.factories import CartItemFactory, ProductFactory

    product = ProductFactory.create(stock=left, slug=f"race-{time.time_ns()}", sku=f"RACE-{time.time_ns()}")
    return {"product": str(product.pk), "carts": [str(CartItemFactory.create(product=product).cart_id) for _ in range(buyers)]}


def buy(cart: str, at: float) -> str:
    """Place the order at that moment of the machine's clock."""
    from django.utils import timezone

    from shop.checkout.placing import place_order
    from shop.errors import ShopError
    from shop.models import Cart
    from shop.tests.factories import ADDRESS

    time.sleep(max(0, at - time.time()))
    try:
        place_order(Cart.objects.get(pk=cart), email="ada@example.com", user=None, address=ADDRESS, network="BTC", at=timezone.now())
    except ShopError as error:
        return type(error).__name__
    return "ordered"


def cancel(order: UUID, at: float) -> str:
    from django.utils import timezone

    from shop.errors import ShopError
    from shop.orders.lifecycle import cancel_own_order

    time.sleep(max(0, at - time.time()))
    try:
        cancel_own_order(order, at=timezone.now())
    except ShopError as error:
        return type(error).__name__
    return "cancelled"


def hear(webhook_id: str, at: float) -> str:
    """The same signed hint at that moment of the machine's clock."""
    from django.utils import timezone

    from payments.sync.webhook_hints import is_first

    time.sleep(max(0, at - time.time()))
    return "first" if is_first(webhook_id, at=timezone.now()) else "repeated"


def count(product: str) -> dict[str, Any]:
    from payments.models import Invoice
    from shop.models import Order, Product

    orders = Order.objects.filter(lines__product_id=product)
    return {
        "stock": Product.objects.get(pk=product).stock,
        "orders": [str(pk) for pk in orders.values_list("pk", flat=True)],
        "holding": orders.filter(holds_stock=True).count(),
        "invoices": Invoice.objects.filter(subject_id__in=list(orders.values_list("pk", flat=True))).count(),
    }


def prepare_paid(orders: int) -> dict[str, Any]:
    """As many orders of one thing, each paid with money that lies deep enough, of which no follower knows yet."""
    from datetime import timedelta

    from django.utils import timezone

    from cryptons.money import Base
    from payments.models import Option
    from payments.networks.sandbox.network import mine_block, receive
    from shop.models import Product

    made = prepare(left=orders, buyers=orders)
    assert {buy(cart, at=0) for cart in made["carts"]} == {"ordered"}
    now = timezone.now()
    for option in Option.objects.filter(network="BTC"):
        receive("BTC", option.destination, Base(option.due_base), at=now - timedelta(minutes=2))
    for _ in range(8):
        mine_block("BTC", timezone.now())
    return {"product": made["product"], "stock": Product.objects.get(pk=made["product"]).stock}


def follow_and_settle(seconds: float, role: str) -> dict[str, int]:
    """Work as a follower (a turn, then its invoices) or as a worker (whatever waits) for so long."""
    from django.utils import timezone

    from payments.errors import InvoiceMoved
    from payments.invoices.settlement import settle
    from payments.models import Invoice
    from payments.sync.follower import LeaseLost, poll

    moved, ends = 0, time.time() + seconds
    while time.time() < ends:
        try:
            touched = poll("BTC", at=timezone.now()) if role == "follower" else set(Invoice.objects.touched().values_list("pk", flat=True))
        except LeaseLost:
            continue
        for invoice_id in touched:
            try:
                settle(invoice_id, at=timezone.now())
            except InvoiceMoved:
                moved += 1
    return {"moved": moved}


def count_settled(product: str) -> dict[str, Any]:
    from collections import Counter

    from cryptons.events.models import Event
    from cryptons.mail.models import Mail
    from payments.models import Invoice
    from shop.models import Order, Product

    invoices = list(Invoice.objects.values_list("pk", flat=True))
    per_invoice = Counter(Event.objects.filter(type="invoice.settled", subject_id__in=invoices).values_list("subject_id", flat=True))
    return {
        "statuses": sorted(set(Invoice.objects.values_list("status", flat=True))),
        "events": sorted(per_invoice.values()),
        "mails": Mail.objects.filter(key__startswith="payment-confirmed").count(),
        "processing": Order.objects.filter(status="processing", holds_stock=True).count(),
        "stock": Product.objects.get(pk=product).stock,
    }


def ask_again(act: Callable[..., Any], **options: Any) -> Any:
    """As a client does whom a busy database answered with 503."""
    from cryptons.db import is_outage

    for _ in range(3):
        try:
            return act(**options)
        except Exception as error:
            if not is_outage(error):
                raise
    return act(**options)


def main() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    if "migrate" in sys.argv:
        call_command("migrate", verbosity=0)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        act, options = json.loads(line)
        print(json.dumps(ask_again(globals()[act], **options)), flush=True)


if __name__ == "__main__":
    main()
