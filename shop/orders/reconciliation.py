"""Whether orders agree with themselves and with their invoices: a part of the reconciliation, which payments begin."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cryptons.chunks import chunks
from cryptons.money import format_fiat
from payments.models import Invoice
from payments.subject import SubjectProblem
from shop.models import Order, OrderLine

PAID = (Order.PaymentStatus.PAID, Order.PaymentStatus.OVERPAID)


def check_orders(since: datetime, until: datetime) -> list[SubjectProblem]:
    """Check the orders that were placed from `since` on and before `until`."""
    ids = list(Order.objects.filter(created_at__gte=since, created_at__lt=until).order_by("created_at", "pk").values_list("pk", flat=True))
    return [problem for chunk in chunks(ids) for problem in _check(chunk)]


def _check(ids: list[Any]) -> Iterator[SubjectProblem]:
    orders = Order.objects.filter(pk__in=ids).order_by("created_at", "pk")
    lines: dict[Any, int] = {}
    for line in OrderLine.objects.filter(order__in=ids):
        lines[line.order_id] = lines.get(line.order_id, 0) + line.total_minor
    invoices: dict[Any, list[Invoice]] = {}
    for invoice in Invoice.objects.filter(subject_id__in=ids):
        invoices.setdefault(invoice.subject_id, []).append(invoice)
    for order in orders:
        for text in _problems(order, lines.get(order.pk, 0), invoices.get(order.pk, [])):
            yield SubjectProblem(order.number, f"Order {order.number}: {text}", order.created_at)


def _problems(order: Order, lines_minor: int, invoices: list[Invoice]) -> Iterator[str]:
    total = format_fiat(order.total_minor, order.currency)
    if lines_minor != order.total_minor:
        yield f"its lines make {format_fiat(lines_minor, order.currency)}, its total is {total} {order.currency}."
    for invoice in invoices:
        if (invoice.price_minor, invoice.currency) != (order.total_minor, order.currency):
            asked = f"{format_fiat(invoice.price_minor, invoice.currency)} {invoice.currency}"
            yield f"its invoice asks for {asked}, its total is {total} {order.currency}."
    if order.payment_status in PAID and not any(invoice.status == Invoice.Status.SETTLED for invoice in invoices):
        yield "it is paid, and no invoice of it is settled. Do not ship."
