"""Puts orders and open invoices by the thousand into a shop's database, and counts what became of them, with the project's own models.

`python -m tests.stack.filling` in the shop's environment reads acts from its input, one a line as `[name, options]`, and answers in JSON.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import django
import httpx

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Count, F, Model  # noqa: E402
from django.utils import timezone  # noqa: E402

from cryptons.coins import BITCOIN  # noqa: E402
from cryptons.db import atomic, new_id  # noqa: E402
from cryptons.events.models import Event  # noqa: E402
from cryptons.money import Base, Minor  # noqa: E402
from payments.confirmations import confirmations_for  # noqa: E402
from payments.invoices.opening import MONITOR, Offer, prepare_offer  # noqa: E402
from payments.models import Invoice, Option  # noqa: E402
from payments.networks.bitcoin.wallet import open_wallet  # noqa: E402
from shop.models import Category, Order, OrderLine, Product, new_order_number  # noqa: E402
from shop.orders.state import state_of  # noqa: E402

PRICE = Minor(2_000)
"""20.00: safe after one confirmation."""
BATCH = 1_000


def open_invoices(count: int, *, begin: int = 0) -> None:
    """For a day, each with an address of the shop's own wallet: the node watches them all, as it does after as many checkouts."""
    now = timezone.now()
    for start in range(begin, begin + count, BATCH):
        labels = [f"order_{number}" for number in range(start, min(start + BATCH, begin + count))]
        addresses = new_addresses(labels)
        (first,) = write_invoices([(labels[0], _quoted(addresses[0], now))], now)
        rest = [(new_id(), label, address) for label, address in zip(labels[1:], addresses[1:], strict=True)]
        with atomic():
            insert_copies(first, ("id", "subject_id", "label"), [(pk, pk, label) for pk, label, _ in rest])
            insert_copies(first.options.get(), ("id", "invoice", "destination"), [(new_id(), pk, address) for pk, _, address in rest])


def insert_copies(row: Model, names: Sequence[str], changes: Iterable[Sequence[Any]]) -> None:
    """With other values of these fields. For rows by the thousand, because models take three times as long."""
    changed: list[Any] = [row._meta.get_field(name) for name in names]
    kept: list[Any] = [field.column for field in row._meta.concrete_fields if field not in changed]
    into, taken = ", ".join([field.column for field in changed] + kept), ", ".join(["%s"] * len(changed) + kept)
    command = f"insert into {row._meta.db_table} ({into}) select {taken} from {row._meta.db_table} where id = %s"
    key = row._meta.pk.get_db_prep_save(row.pk, connection)
    values = [[*(field.get_db_prep_save(value, connection) for field, value in zip(changed, each, strict=True)), key] for each in changes]
    with connection.cursor() as cursor:
        cursor.executemany(command, values)


def _quoted(address: str, now: datetime) -> Offer:
    rate = Decimal(6_500_000)
    return Offer("BTC", address, "", Base(30_770), rate, {"fixed": "65000"}, now, now + timedelta(days=1))


def new_addresses(labels: Sequence[str]) -> list[str]:
    """As the shop asks for them, but all in one request."""
    with open_wallet(BITCOIN):  # which makes it, if it is not there yet
        asked = [{"method": "getnewaddress", "params": [label, "bech32"], "id": number} for number, label in enumerate(labels)]
        url = f"http://{BITCOIN.host}:{BITCOIN.port}/wallet/{BITCOIN.wallet}"
        told = httpx.post(url, json=asked, auth=(BITCOIN.user, BITCOIN.password), timeout=600).json()
    return [str(each["result"]) for each in told]


def write_invoices(labelled: Sequence[tuple[str, Offer]], now: datetime, orders: Sequence[Order] = ()) -> list[Invoice]:
    invoices = [
        Invoice(
            label=label,
            price_minor=PRICE,
            currency="USD",
            tolerance_percent=Decimal("0.5"),
            tolerance_cap_minor=100,
            confirmations_needed=confirmations_for(PRICE, "USD"),
            created_at=now,
            expires_at=offer.expires_at,
            monitor_until=offer.expires_at + MONITOR,
        )
        for label, offer in labelled
    ]
    for position, invoice in enumerate(invoices):
        invoice.subject_id = orders[position].pk if orders else invoice.pk
    Invoice.objects.bulk_create(invoices, batch_size=BATCH)
    Option.objects.bulk_create(
        [
            Option(
                invoice=invoice,
                network=offer.network,
                destination=offer.destination,
                due_base=offer.due_base,
                minor_per_coin=offer.minor_per_coin,
                rate_sources=offer.rate_sources,
                quoted_at=now,
                expires_at=offer.expires_at,
                created_at=now,
            )
            for invoice, (_, offer) in zip(invoices, labelled, strict=True)
        ],
        batch_size=BATCH,
    )
    return invoices


def place_orders(product: Product, offers: Sequence[Offer], numbers: Sequence[str]) -> list[dict[str, Any]]:
    """As checkout leaves them: stock held, an open invoice, the first events. `tests.stack.buying.Bought` of each."""
    now = timezone.now()
    orders = [
        Order(number=number, email=f"{number.lower()}@example.com", network="BTC", total_minor=PRICE, currency="USD", holds_stock=True)
        for number in numbers
    ]
    Order.objects.bulk_create(orders, batch_size=BATCH)
    lines = [OrderLine(order=order, product=product, name=product.name, sku=product.sku, price_minor=PRICE, quantity=1) for order in orders]
    OrderLine.objects.bulk_create(lines, batch_size=BATCH)
    Product.objects.filter(pk=product.pk).update(stock=F("stock") - len(orders))
    invoices = write_invoices([(f"order_{order.number}", offer) for order, offer in zip(orders, offers, strict=True)], now, orders)
    told = [("invoice", "invoice.new", each.pk, {"status": "new", "flags": [], "network": "BTC"}) for each in invoices]
    told += [("order", "order.placed", each.pk, state_of(each)) for each in orders]
    events = [Event(subject_type=kind, subject_id=pk, seq=1, type=what, data=data) for kind, what, pk, data in told]
    Event.objects.bulk_create(events, batch_size=BATCH)
    return [
        {"id": str(order.pk), "number": order.number, "invoice": str(invoice.pk), "address": offer.destination, "amount": _coin(offer)}
        for order, invoice, offer in zip(orders, invoices, offers, strict=True)
    ]


def _coin(offer: Offer) -> str:
    return f"{Decimal(offer.due_base).scaleb(-8):.8f}"


def real_offers(numbers: Sequence[str], network: str = "BTC") -> list[Offer]:
    """With addresses of the shop's own wallet, or its node's Lightning invoices, and the price of this moment."""
    return [prepare_offer(network, PRICE, label=f"order_{number}", at=timezone.now()) for number in numbers]


def make_product(name: str, stock: int) -> Product:
    category = Category.objects.get_or_create(name="Things", slug="things")[0]
    return Product.objects.create(name=name, slug=name.lower(), sku=name.upper(), price_minor=PRICE, category=category, stock=stock)


def spread(offers: Sequence[Offer]) -> list[Offer]:
    """Over the minute that begins in ten seconds: each has a moment of its own at which its time is up."""
    begin, minute = timezone.now() + timedelta(seconds=10), timedelta(minutes=1)
    return [replace(offer, expires_at=begin + minute * position / len(offers)) for position, offer in enumerate(offers)]


# --- Acts -----------------------------------------------------------------------------------------------------------------


def prepare(unpaid: int) -> str:
    call_command("migrate", verbosity=0)
    open_invoices(unpaid)
    return "ready"


def order(name: str, count: int, is_expiring: bool = False) -> dict[str, Any]:
    """A product, and so many orders of one piece of it each."""
    product = make_product(name, count)
    numbers = [new_order_number() for _ in range(count)]
    offers = real_offers(numbers)
    return {"product": str(product.pk), "orders": place_orders(product, spread(offers) if is_expiring else offers, numbers)}


def statuses(product: str) -> dict[str, int]:
    """How many invoices of the product's orders have each status: one query, for those who ask again and again."""
    orders = OrderLine.objects.filter(product_id=product).values("order_id")
    return dict(Invoice.objects.filter(subject_id__in=orders).values_list("status").annotate(Count("pk")))


def count(product: str) -> dict[str, Any]:
    """How the product's orders stand, with their invoices, and how often each status was told."""
    orders = Order.objects.in_bulk(OrderLine.objects.filter(product_id=product).values_list("order_id", flat=True)).values()
    invoices = Invoice.objects.filter(subject_id__in=[each.pk for each in orders]).values_list("pk", "status")
    told = Event.objects.filter(subject_id__in=[pk for pk, _ in invoices]).values_list("type", flat=True)
    return {
        "invoices": Counter(status for _, status in invoices),
        "orders": Counter(f"{each.status} {each.payment_status}" for each in orders),
        "events": Counter(told),
        "stock": Product.objects.get(pk=product).stock,
    }


ACTS: dict[str, Callable[..., Any]] = {"prepare": prepare, "order": order, "statuses": statuses, "count": count}


def main() -> None:
    for line in sys.stdin:
        name, options = json.loads(line)
        print(json.dumps(ACTS[name](**options)), flush=True)


if __name__ == "__main__":
    main()
