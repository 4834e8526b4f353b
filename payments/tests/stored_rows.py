"""What the database says of invoices and their payments, added up again from the rows and not by the program."""

from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from uuid import UUID

from cryptons.events.models import Event
from payments.models import Cursor, Invoice, Option, Payment
from tests.rows import all_rows

ENOUGH_MINOR = 9_950
"""The least that is enough, in cents: half a percent may be missing."""
BASE_PER_COIN = {"BTC": 10**8, "BTC-LN": 10**11, "XRP": 10**6}


class StoredRows:
    """What the database says now, in four questions."""

    def __init__(self, options: dict[tuple[str, str], Option]) -> None:
        by_id = {option.pk: option for option in options.values()}
        self.invoices = all_rows(Invoice)
        self.invoice = {invoice.pk: invoice for invoice in self.invoices}
        self.payments = all_rows(Payment)
        self.tips = {cursor.network: cursor.tip_height for cursor in all_rows(Cursor)}
        self.events: defaultdict[UUID, list[Event]] = defaultdict(list)
        self.of: defaultdict[UUID, list[Payment]] = defaultdict(list)
        for event in sorted(all_rows(Event), key=lambda event: event.seq):
            self.events[event.subject_id].append(event)
        for payment in self.payments:
            payment.option = by_id[payment.option_id]
            self.of[payment.invoice_id].append(payment)
        self.by_reference = {(payment.network, payment.reference): payment for payment in self.payments}

    def standing(self, payment: Payment, invoice: Invoice) -> str:
        if not payment.is_present:
            return "gone"
        return "settled" if self.is_safe(payment, invoice) else "seen"

    def is_safe(self, payment: Payment, invoice: Invoice) -> bool:
        tip = self.tips.get(payment.network)
        deep = payment.height is not None and tip is not None and tip + 1 - payment.height >= invoice.confirmations_needed
        return payment.is_safe or payment.is_final or deep

    def minor(self, invoice: Invoice, *, safe: bool = False, counted: bool = False) -> Fraction:
        """What is there of its money, or what is safe of it; or what of it came in time or was taken all the same."""
        worths = (
            Fraction(payment.amount_base)
            * Fraction(payment.minor_per_coin or payment.option.minor_per_coin)
            / BASE_PER_COIN[payment.network]
            for payment in self.of[invoice.pk]
            if payment.is_present and (not safe or self.is_safe(payment, invoice))
            if not counted or self.counts(payment)
        )
        return sum(worths, Fraction())

    def counts(self, payment: Payment) -> bool:
        """Whether it came in time and was mined in time, or was taken all the same."""
        if payment.is_slow:
            return payment.late == "slow"
        return payment.first_seen_at <= payment.option.expires_at or payment.late == "accepted"

    def status(self, invoice: Invoice, at: datetime) -> str:
        """As the rules of payments say it."""
        if invoice.override:
            return invoice.override
        if self.minor(invoice, counted=True) >= ENOUGH_MINOR:
            return "settled" if self.minor(invoice, safe=True, counted=True) >= ENOUGH_MINOR else "processing"
        return "expired" if at >= invoice.expires_at else "new"
