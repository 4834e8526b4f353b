"""A fresh quote for an invoice that is not paid: another network, or today's rate. Old quotes stay watched, each until its own end.

Money counts once it was taken. What came too late is taken here, at the rate of now, so that nobody gains by the rate of a quote that
had ended; only what is missing then is asked for.
"""

from copy import copy
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from cryptons.money import UNITS, Minor, format_coin
from payments.errors import QuoteRefused
from payments.invoices.assessment import Assessment, as_accepted, assess, received_as
from payments.invoices.evaluation import GONE, Verdict
from payments.invoices.opening import MONITOR, Offer, add_options, prepare_offers
from payments.invoices.refundable import promised
from payments.invoices.settlement import Cause, apply_verdict, settle
from payments.models import Invoice, Option, Payment
from payments.rates.current import rate_for
from payments.subject import subject

MOST_QUOTES = 10
"""Each costs an address, and holds what was ordered for as long as it lasts."""

REFUSALS = {
    Invoice.Status.PROCESSING: "Enough was paid already: nothing more has to be sent.",
    Invoice.Status.SETTLED: "This is paid already: nothing more has to be sent.",
    Invoice.Status.CANCELLED: "This payment was cancelled: nothing has to be paid.",
    Invoice.Status.INVALID: "This payment was closed by the shop. Please do not send money.",
}


@dataclass(frozen=True)
class LateMoney:
    payment: Payment
    value_minor: Fraction
    """At the rate of now."""

    @property
    def amount_text(self) -> str:
        return f"{format_coin(self.payment.amount_base, self.payment.network)} {UNITS[self.payment.network].coin}"

    @property
    def whole_minor(self) -> int:
        return int(self.value_minor)


@dataclass(frozen=True)
class QuotePreview:
    """What an invoice has and what it lacks, if its buyer goes on now."""

    assessment: Assessment
    """As if the late money were taken."""
    late: tuple[LateMoney, ...]
    counted_minor: Fraction

    @property
    def invoice(self) -> Invoice:
        """As it was read: its version must still be the stored one when the quote is written."""
        return self.assessment.invoice

    @property
    def is_enough(self) -> bool:
        return self.counted_minor >= self.assessment.terms.enough_minor

    @property
    def counted_whole_minor(self) -> int:
        return int(self.counted_minor)

    @property
    def punctual_minor(self) -> int:
        """What counted already."""
        return int(self.counted_minor - sum(money.value_minor for money in self.late))

    @property
    def remaining_minor(self) -> Minor:
        """0 when it is enough, though a little may be missing."""
        return Minor(0 if self.is_enough else self.invoice.price_minor - int(self.counted_minor))


@dataclass(frozen=True)
class Quote:
    """Prepared, not yet written down."""

    preview: QuotePreview
    offers: tuple[Offer, ...]
    """Empty when what came is enough."""


def preview_quote(invoice_id: UUID, *, at: datetime) -> QuotePreview:
    """Weigh what came and what is missing. Writes nothing.

    Raises QuoteRefused, RateUnavailable (of a coin that came late), Invoice.DoesNotExist.
    """
    invoice = Invoice.objects.get(pk=invoice_id)
    _check(invoice)
    late: list[LateMoney] = []
    statuses: dict[Payment, str] = {}
    for payment, status in assess(invoice, at).statuses.items():
        if status == GONE or received_as(payment, status).counts:
            statuses[payment] = status
            continue
        accepted = as_accepted(payment, minor_per_coin=rate_for(payment.network, at=at).minor_per_coin)
        statuses[accepted] = status
        late.append(LateMoney(accepted, received_as(accepted, status).value_minor))
    kept = [received_as(payment, status) for payment, status in statuses.items() if status != GONE]
    counted = sum((money.value_minor for money in kept), Fraction(0))
    return QuotePreview(assess(invoice, at, statuses=statuses), tuple(late), counted)


def _check(invoice: Invoice) -> None:
    if invoice.status in REFUSALS:
        raise QuoteRefused(REFUSALS[Invoice.Status(invoice.status)])
    if promised(invoice.pk).exists():
        raise QuoteRefused("What was paid is on its way back, so this can no longer be paid. Please order again.")
    if count_quotes(invoice.pk) >= MOST_QUOTES:
        raise QuoteRefused(f"There were {MOST_QUOTES} quotes for this payment already. Please write to us, or order again.")


def count_quotes(invoice_id: UUID) -> int:
    return len(set(Option.objects.filter(invoice=invoice_id).values_list("created_at", flat=True)))


def prepare_quote(invoice_id: UUID, network: str, *, at: datetime) -> Quote:
    """Weigh what came, price what is missing and ask the node for a destination, without a transaction.

    Raises QuoteRefused, NodeUnavailable, NodeRejected, RateUnavailable, NetworkNotOffered, InvoiceMoved.
    """
    settle(invoice_id, at=at)
    preview = preview_quote(invoice_id, at=at)
    if preview.is_enough:
        return Quote(preview, ())
    offers = prepare_offers(network, preview.remaining_minor, label=preview.invoice.label, at=at)
    if offers[0].due_base <= UNITS[network].dust_base:
        raise QuoteRefused(f"What is missing is too little for {UNITS[network].name}. Please choose another coin, or write to us.")
    return Quote(preview, offers)


def requote(quote: Quote, *, at: datetime, actor: str = "buyer") -> Verdict:
    """Write it down inside the caller's transaction. With enough money the invoice goes on and waits for none.

    Raises InvoiceMoved when the invoice changed since the quote was prepared, QuoteRefused, LateMoneyRefused, and IntegrityError when
    the node gave its destination away twice.
    """
    preview = quote.preview
    invoice = copy(preview.invoice)
    _check(invoice)
    subject().reserve_again(invoice)
    for money in preview.late:
        Payment.objects.filter(pk=money.payment.pk).update(late=money.payment.late, minor_per_coin=money.payment.minor_per_coin)
    if quote.offers:
        add_options(invoice, quote.offers, at=at)
        invoice.expires_at = quote.offers[0].expires_at
        invoice.monitor_until = invoice.expires_at + MONITOR
    assessment = assess(invoice, at, statuses=preview.assessment.statuses)
    apply_verdict(assessment, Cause(actor, _event_data(quote)))
    return assessment.verdict


def _event_data(quote: Quote) -> dict[str, Any]:
    return {
        "quotes": [{"network": offer.network, "amount": format_coin(offer.due_base, offer.network)} for offer in quote.offers],
        "acceptedLate": [money.payment.reference for money in quote.preview.late],
    }
