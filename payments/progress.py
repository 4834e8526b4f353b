"""How an invoice stands, for the page that its buyer looks at: one query, however often it is asked."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max, OuterRef, Q, Subquery

from cryptons.money import Base, fiat_to_base, format_coin
from payments.models import Cursor, Invoice, Option
from payments.uris import payment_uri, split_destination

OPTION_FIELDS = ("network", "destination", "payment_request", "due_base", "minor_per_coin")
INVOICE_FIELDS = (
    "subject_id",
    "label",
    "status",
    "flags",
    "version",
    "price_minor",
    "currency",
    "paid_seen_minor",
    "created_at",
    "expires_at",
    "confirmations_needed",
)


@dataclass(frozen=True)
class Progress:
    invoice_id: UUID
    subject_id: UUID
    label: str
    status: str
    flags: frozenset[str]
    version: int
    network: str
    destination: str
    payment_request: str
    due_base: Base
    minor_per_coin: Decimal
    price_minor: int
    currency: str
    paid_seen_minor: int
    created_at: datetime
    expires_at: datetime
    confirmations: int
    """Of the payment that has fewest; 0 while any is not in a block."""
    confirmations_needed: int

    @property
    def address(self) -> str:
        return split_destination(self.destination)[0]

    @property
    def destination_tag(self) -> str:
        return split_destination(self.destination)[1]

    @property
    def due_text(self) -> str:
        return format_coin(self.due_base, self.network)

    @property
    def remaining_minor(self) -> int:
        return max(0, self.price_minor - self.paid_seen_minor)

    @property
    def remaining_base(self) -> Base:
        """What is still to be paid; the whole amount while nothing was seen."""
        if not self.paid_seen_minor:
            return self.due_base
        return fiat_to_base(self.remaining_minor, minor_per_coin=self.minor_per_coin, network=self.network)

    @property
    def remaining_text(self) -> str:
        return format_coin(self.remaining_base, self.network)

    @property
    def uri(self) -> str:
        return payment_uri(self.network, self.destination, self.remaining_base, label=settings.SHOP_NAME)

    @property
    def is_open(self) -> bool:
        """Whether the buyer is still asked for money."""
        return self.status == Invoice.Status.NEW

    @property
    def paid_share(self) -> Fraction:
        return Fraction(min(self.paid_seen_minor, self.price_minor), self.price_minor)


def read_progress(invoice_id: UUID) -> Progress:
    """Raises Invoice.DoesNotExist."""
    newest = Option.objects.filter(invoice=OuterRef("pk")).order_by("-created_at")
    present = Q(payments__is_present=True)
    invoices = Invoice.objects.annotate(**{name: Subquery(newest.values(name)[:1]) for name in OPTION_FIELDS}).annotate(
        tip_height=Subquery(Cursor.objects.filter(network=OuterRef("network")).values("tip_height")[:1]),
        highest=Max("payments__height", filter=present),
        unmined=Count("payments", filter=present & Q(payments__height__isnull=True)),
    )
    row: dict[str, Any] = dict(invoices.values(*INVOICE_FIELDS, *OPTION_FIELDS, "tip_height", "highest", "unmined").get(pk=invoice_id))
    tip, highest, unmined = row.pop("tip_height"), row.pop("highest"), row.pop("unmined")
    in_blocks = not unmined and tip is not None and highest is not None
    return Progress(invoice_id=invoice_id, confirmations=max(0, tip - highest + 1) if in_blocks else 0, **row)
