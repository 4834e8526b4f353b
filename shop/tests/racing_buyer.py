"""The processes of a race, on a database of their own: each reads a JSON command a line and answers with a JSON line."""

import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import override_settings  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.verification.errors import NotAdmitted  # noqa: E402
from cryptons.db import is_outage  # noqa: E402
from cryptons.events.models import Event  # noqa: E402
from cryptons.mail.models import Mail  # noqa: E402
from cryptons.money import Base  # noqa: E402
from payments.errors import InvoiceMoved  # noqa: E402
from payments.invoices.settlement import settle  # noqa: E402
from payments.models import Invoice, Option  # noqa: E402
from payments.networks.sandbox.network import mine_block, receive  # noqa: E402
from payments.sync.follower import LeaseLost, poll  # noqa: E402
from payments.sync.webhook_hints import is_first  # noqa: E402
from shop.checkout.placing import place_order  # noqa: E402
from shop.errors import ShopError  # noqa: E402
from shop.figures.counting import count_orders  # noqa: E402
from shop.figures.models import Figure  # noqa: E402
from shop.figures.recounting import differences  # noqa: E402
from shop.models import Cart, Order, Product, Voucher  # noqa: E402
from shop.orders.lifecycle import cancel_own_order  # noqa: E402
from shop.tests.factories import ADDRESS, CartItemFactory, ProductFactory  # noqa: E402


def prepare(left: int, buyers: int, voucher: str = "", uses: int = 0) -> dict[str, Any]:
    """A product of which so many are left, and a cart with one of it for each buyer, with a voucher of so many uses."""
    if voucher:
        Voucher.objects.create(code=voucher, percent=10, most_uses=uses)
    product = ProductFactory.create(stock=left, slug=f"race-{time.time_ns()}", sku=f"RACE-{time.time_ns()}")
    return {
        "product": str(product.pk),
        "carts": [str(CartItemFactory.create(product=product, cart__voucher_code=voucher).cart_id) for _ in range(buyers)],
    }


def buy(cart: str, at: float) -> str:
    """Place the order at that moment of the machine's clock."""
    time.sleep(max(0, at - time.time()))
    try:
        place_order(Cart.objects.get(pk=cart), email="ada@example.com", user=None, address=ADDRESS, network="BTC", at=timezone.now())
    except ShopError as error:
        return type(error).__name__
    return "ordered"


def hoard(cart: str, email: str, most: int, at: float) -> str:
    """Place the order as this visitor, who may have so many unpaid ones."""
    time.sleep(max(0, at - time.time()))
    with override_settings(UNPAID_ORDERS=most):
        try:
            place_order(Cart.objects.get(pk=cart), email=email, user=None, address=ADDRESS, network="BTC", at=timezone.now())
        except ShopError as error:
            return type(error).__name__
    return "ordered"


def spend(cart: str, email: str, moment: float, at: float) -> str:
    """Place the order in a shop where a buyer who is not verified may spend 100.00 a day: two of the kettles.

    `moment` says which day it is, the same for all who race.
    """
    time.sleep(max(0, at - time.time()))
    with override_settings(VERIFICATION_PROVIDER="manual", VERIFICATION_DAILY_LIMIT=Decimal(100)):
        try:
            today = datetime.fromtimestamp(moment, UTC)
            place_order(Cart.objects.get(pk=cart), email=email, user=None, address=ADDRESS, network="BTC", at=today)
        except (ShopError, NotAdmitted) as error:
            return type(error).__name__
    return "ordered"


def cancel(order: UUID, at: float) -> str:
    time.sleep(max(0, at - time.time()))
    try:
        cancel_own_order(order, at=timezone.now())
    except ShopError as error:
        return type(error).__name__
    return "cancelled"


def hear(webhook_id: str, at: float) -> str:
    """The same signed hint at that moment of the machine's clock."""
    time.sleep(max(0, at - time.time()))
    return "first" if is_first(webhook_id, at=timezone.now()) else "repeated"


def count(product: str) -> dict[str, Any]:
    orders = Order.objects.filter(lines__product_id=product)
    return {
        "stock": Product.objects.get(pk=product).stock,
        "orders": [str(pk) for pk in orders.values_list("pk", flat=True)],
        "holding": orders.filter(holds_stock=True).count(),
        "invoices": Invoice.objects.filter(subject_id__in=list(orders.values_list("pk", flat=True))).count(),
    }


def count_voucher(code: str) -> list[int]:
    """How often it says that it was used, and in how many orders it was."""
    return [Voucher.objects.get(code=code).uses, Order.objects.filter(voucher_code=code, discount_minor__gt=0).count()]


def prepare_paid(orders: int) -> dict[str, Any]:
    """As many orders of one thing, each paid with money that lies deep enough, of which no follower knows yet."""
    made = prepare(left=orders, buyers=orders)
    assert {buy(cart, at=0) for cart in made["carts"]} == {"ordered"}
    now = timezone.now()
    for option in Option.objects.filter(network="BTC"):
        receive("BTC", option.destination, Base(option.due_base), at=now - timedelta(minutes=2))
    for _ in range(8):
        mine_block("BTC", timezone.now())
    return {"product": made["product"], "stock": Product.objects.get(pk=made["product"]).stock}


def follow_and_settle(seconds: float, role: str) -> dict[str, int]:
    """Work as a follower (a turn, then its invoices) or as a worker (what waits) for so long."""
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


def count_figures(seconds: float) -> int:
    """Work for so long as a worker that counts orders. Returns how many it counted."""
    counted, ends = 0, time.time() + seconds
    while time.time() < ends:
        counted += count_orders()
    return counted


def count_settled(product: str) -> dict[str, Any]:
    invoices = list(Invoice.objects.values_list("pk", flat=True))
    count_orders()
    per_invoice = Counter(Event.objects.filter(type="invoice.settled", subject_id__in=invoices).values_list("subject_id", flat=True))
    return {
        "statuses": sorted(set(Invoice.objects.values_list("status", flat=True))),
        "events": sorted(per_invoice.values()),
        "mails": Mail.objects.filter(key__startswith="payment-confirmed").count(),
        "processing": Order.objects.filter(status="processing", holds_stock=True).count(),
        "stock": Product.objects.get(pk=product).stock,
        "sold": sum(Figure.objects.filter(of="product").values_list("units", flat=True)),
        "differences": [str(difference) for difference in differences()],
    }


def ask_again(act: Callable[..., Any], **options: Any) -> Any:
    """As a client does whom a busy database answered with 503."""
    for _ in range(3):
        try:
            return act(**options)
        except Exception as error:
            if not is_outage(error):
                raise
    return act(**options)


def serve(end: int, acts: Mapping[str, Any]) -> None:
    """Answer at this end of a socket until the other one is closed."""
    with socket.socket(fileno=end) as connection, connection.makefile("rw", encoding="utf-8") as lines:
        print(json.dumps("ready"), file=lines, flush=True)
        for line in lines:
            act, options = json.loads(line)
            print(json.dumps(ask_again(acts[act], **options)), file=lines, flush=True)


def main(acts: Mapping[str, Any]) -> None:
    """Migrate the database, then fork a process for each socket whose number is an argument.

    The migration has a process of its own too, because a connection to a database must not be forked.
    """
    if not (migrating := os.fork()):
        call_command("migrate", verbosity=0)
        os._exit(0)
    os.waitpid(migrating, 0)
    ends = [int(end) for end in sys.argv[1:]]
    for end in ends:
        if not os.fork():
            for other in set(ends) - {end}:
                os.close(other)
            serve(end, acts)
            os._exit(0)
    for end in ends:
        os.close(end)
    for _ in ends:
        os.wait()


if __name__ == "__main__":
    main(globals())
