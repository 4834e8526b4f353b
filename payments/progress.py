"""How an invoice stands, for the page that its buyer looks at: one query, however often it is asked."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Subquery

from cryptons.money import Base, fiat_to_base, format_coin
from payments.models import Cursor, Invoice, Option
from payments.uris import payment_uri, split_destination

LIGHTNING = "BTC-LN"
OPTION_FIELDS = ("network", "destination", "due_base", "minor_per_coin")
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
    """The BOLT11 invoice that pays the same; empty without Lightning, and once a part was paid: it asks for all."""
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
        return payment_uri(self.network, self.destination, self.remaining_base, label=settings.SHOP_NAME, lightning=self.payment_request)

    @property
    def is_open(self) -> bool:
        """Whether the buyer is still asked for money."""
        return self.status == Invoice.Status.NEW

    @property
    def paid_share(self) -> Fraction:
        return Fraction(min(self.paid_seen_minor, self.price_minor), self.price_minor)


def read_progress(invoice_id: UUID) -> Progress:
    """Raises Invoice.DoesNotExist."""
    rows = _read_rows(invoice_id)
    if not rows:
        raise Invoice.DoesNotExist
    newest = next((row for row in rows if row["network"] != LIGHTNING), rows[0])
    lightning = next((row for row in rows if row["network"] == LIGHTNING and row["created_at"] == newest["created_at"]), None)
    has_request = lightning is not None and not newest["invoice__paid_seen_minor"]
    heights = [row["invoice__payments__height"] for row in rows if row["pk"] == newest["pk"] and row["invoice__payments__is_present"]]
    tip = newest["tip_height"]
    in_blocks = bool(heights) and None not in heights and tip is not None
    return Progress(
        invoice_id=invoice_id,
        payment_request=lightning["payment_request"] if lightning and has_request else "",
        confirmations=max(0, tip - max(heights) + 1) if in_blocks else 0,
        **{name: newest[name] for name in OPTION_FIELDS},
        **{name: newest[f"invoice__{name}"] for name in INVOICE_FIELDS},
    )


def _read_rows(invoice_id: UUID) -> list[dict[str, Any]]:
    """One for each option and payment of the invoice, those of the newest option first."""
    tip = Cursor.objects.filter(network=OuterRef("network")).values("tip_height")[:1]
    options = Option.objects.filter(invoice=invoice_id).annotate(tip_height=Subquery(tip)).order_by("-created_at", "-pk")
    of_invoice = [f"invoice__{name}" for name in (*INVOICE_FIELDS, "payments__height", "payments__is_present")]
    return list(options.values("pk", "tip_height", "created_at", "payment_request", *OPTION_FIELDS, *of_invoice))
