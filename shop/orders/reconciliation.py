"""Compare orders with their lines and their invoices: the shop's part of the reconciliation that payments start."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from cryptons.chunks import chunks
from cryptons.formats import money
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
        lines[line.order_id] = lines.get(line.order_id, 0) + line.total_minor - line.discount_minor
    invoices: dict[Any, list[Invoice]] = {}
    for invoice in Invoice.objects.filter(subject_id__in=ids):
        invoices.setdefault(invoice.subject_id, []).append(invoice)
    for order in orders:
        for text in _problems(order, lines.get(order.pk, 0), invoices.get(order.pk, [])):
            yield SubjectProblem(order.number, text, order.created_at)


def _problems(order: Order, lines_minor: int, invoices: list[Invoice]) -> Iterator[str]:
    number, total = order.number, money(order.total_minor, order.currency)
    if lines_minor != order.total_minor:
        lines = money(lines_minor, order.currency)
        message = _("Order %(number)s: its lines add up to %(lines)s, its total is %(total)s.")
        yield message % {"number": number, "lines": lines, "total": total}
    for invoice in invoices:
        if (invoice.price_minor, invoice.currency) != (order.total_minor, order.currency):
            price = money(invoice.price_minor, invoice.currency)
            message = _("Order %(number)s: its invoice asks for %(price)s, its total is %(total)s.")
            yield message % {"number": number, "price": price, "total": total}
    if order.payment_status in PAID and not any(invoice.status == Invoice.Status.SETTLED for invoice in invoices):
        yield _("Order %(number)s: it is paid, but none of its invoices is settled. Do not ship it.") % {"number": number}
