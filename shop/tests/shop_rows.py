"""What the database says of a shop, read with one query for each table."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db.models import Model

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice, Option, Payment, Payout
from shop.models import Order, OrderLine, Product
from tests.rows import all_rows, columns


class ShopRows:
    def __init__(self) -> None:
        self.values: dict[str, list[dict[str, Any]]] = {}
        """All columns of all rows, to see whether anything has changed."""
        self.orders = {order.pk: order for order in self._read(Order)}
        self.lines = self._read(OrderLine)
        self.products = self._read(Product)
        self.mails = self._read(Mail)
        self.invoices = self._read(Invoice)
        self.options = {option.pk: option for option in self._read(Option)}
        self.payments: defaultdict[UUID, list[Payment]] = defaultdict(list)
        """Of each invoice."""
        for payment in self._read(Payment):
            self.payments[payment.invoice_id].append(payment)
        self.payouts: list[Payout] = self._read(Payout)
        self.events: defaultdict[UUID, list[Event]] = defaultdict(list)
        """Of each invoice and order, in their order."""
        for event in sorted(self._read(Event), key=lambda event: event.seq):
            self.events[event.subject_id].append(event)

    def _read(self, model: type[Model]) -> list[Any]:
        rows = sorted(all_rows(model), key=lambda row: row.pk)
        self.values[model.__name__] = [columns(row) for row in rows]
        return rows
