"""Give an unpaid invoice a new quote, on another network or at today's rate. Older quotes stay payable until they expire.

Late payments are accepted here at today's rate, so that no buyer profits from the rate of an expired quote. The quote asks only for what is
still missing then.
"""

from copy import copy
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cryptons.money import UNITS, Minor, format_coin
from payments.errors import QuoteRefused
from payments.invoices.assessment import Assessment, as_accepted, assess, received_as
from payments.invoices.evaluation import GONE, Verdict
from payments.invoices.opening import MONITOR, PLAY_MONEY, Offer, add_options, prepare_offers
from payments.invoices.refundable import promised
from payments.invoices.settlement import Cause, apply_verdict, settle
from payments.models import Invoice, Option, Payment
from payments.networks.registry import is_play_money
from payments.rates.current import rate_for
from payments.subject import subject

MOST_QUOTES = 10
"""Each uses an address, and reserves the goods until it expires."""

REFUSALS = {
    Invoice.Status.PROCESSING: gettext_lazy("This is already paid. You do not have to pay anything more."),
    Invoice.Status.SETTLED: gettext_lazy("This is already paid. You do not have to pay anything more."),
    Invoice.Status.CANCELLED: gettext_lazy("This payment was cancelled. You do not have to pay anything."),
    Invoice.Status.INVALID: gettext_lazy("This payment was closed by the shop. Please do not pay."),
}


@dataclass(frozen=True)
class LateMoney:
    payment: Payment
    value_minor: Fraction
    """At today's rate."""

    @property
    def amount_text(self) -> str:
        return f"{format_coin(self.payment.amount_base, self.payment.network)} {UNITS[self.payment.network].symbol}"

    @property
    def whole_minor(self) -> int:
        return int(self.value_minor)


@dataclass(frozen=True)
class QuotePreview:
    """What an invoice has received and what is missing, if it gets a new quote now."""

    assessment: Assessment
    """The assessment with all late payments accepted."""
    late: tuple[LateMoney, ...]
    counted_minor: Fraction

    @property
    def invoice(self) -> Invoice:
        """The invoice as it was read: its version must still be the stored one when the quote is written."""
        return self.assessment.invoice

    @property
    def is_enough(self) -> bool:
        received = [received_as(payment, status) for payment, status in self.assessment.statuses.items()]
        return self.counted_minor >= self.assessment.terms.enough_minor(received)

    @property
    def punctual_minor(self) -> int:
        """The money that was received in time."""
        return int(self.counted_minor - sum(money.value_minor for money in self.late))

    @property
    def remaining_minor(self) -> Minor:
        """What remains to be paid; 0 when it is enough, although a little may be missing."""
        return Minor(0 if self.is_enough else self.invoice.price_minor - int(self.counted_minor))


@dataclass(frozen=True)
class Quote:
    """A new quote that is prepared but not stored yet."""

    preview: QuotePreview
    offers: tuple[Offer, ...]
    """Empty when enough was received."""


def preview_quote(invoice_id: UUID, *, at: datetime) -> QuotePreview:
    """Calculate what was received and what is missing. Writes nothing.

    Raises QuoteRefused, RateUnavailable (of a coin that came late), Invoice.DoesNotExist.
    """
    invoice = Invoice.objects.get(pk=invoice_id)
    _check(invoice)
    late: list[LateMoney] = []
    statuses: dict[Payment, str] = {}
    for payment, status in assess(invoice, at).statuses.items():
        received = received_as(payment, status)
        if status == GONE or received.counts or received.is_stuck:
            statuses[payment] = status
            continue
        accepted = as_accepted(payment, minor_per_coin=rate_for(payment.network, at=at).minor_per_coin)
        statuses[accepted] = status
        late.append(LateMoney(accepted, received_as(accepted, status).value_minor))
    kept = (received_as(payment, status) for payment, status in statuses.items() if status != GONE)
    counted = sum((money.value_minor for money in kept if money.counts), Fraction(0))
    return QuotePreview(assess(invoice, at, statuses=statuses), tuple(late), counted)


def _check(invoice: Invoice) -> None:
    if is_play_money(invoice):
        raise QuoteRefused(str(PLAY_MONEY))
    if invoice.status in REFUSALS:
        raise QuoteRefused(str(REFUSALS[Invoice.Status(invoice.status)]))
    if invoice.currency != settings.CURRENCY:
        raise QuoteRefused(_("The shop's prices are in another currency now. Please order again."))
    _check_that_nothing_is_refunded(invoice.pk)
    if count_quotes(invoice.pk) >= MOST_QUOTES:
        raise QuoteRefused(
            _("This payment has already had %(number)s quotes. Please contact us, or order again.") % {"number": MOST_QUOTES}
        )


def _check_that_nothing_is_refunded(invoice_id: UUID) -> None:
    if promised(invoice_id).exists():
        raise QuoteRefused(_("Your payment is being refunded, so this can no longer be paid. Please order again."))


def count_quotes(invoice_id: UUID) -> int:
    return len(set(Option.objects.filter(invoice=invoice_id).values_list("created_at", flat=True)))


def prepare_quote(invoice_id: UUID, network: str, *, at: datetime) -> Quote:
    """Assess what was received, price the rest and ask the node for a destination, without a transaction.

    Raises QuoteRefused, NodeUnavailable, NodeRejected, RateUnavailable, NetworkNotOffered, InvoiceMoved.
    """
    _check_that_nothing_is_refunded(invoice_id)  # before anything is written
    settle(invoice_id, at=at)
    preview = preview_quote(invoice_id, at=at)
    if preview.is_enough:
        return Quote(preview, ())
    offers = prepare_offers(network, preview.remaining_minor, label=preview.invoice.label, at=at, is_rest=preview.counted_minor > 0)
    if offers[0].due_base <= UNITS[network].dust_base:
        raise QuoteRefused(
            _("The remaining amount is too small for a payment in %(coin)s. Please choose another coin, or contact us.")
            % {"coin": UNITS[network].name}
        )
    return Quote(preview, offers)


def requote(quote: Quote, *, at: datetime, actor: str = "buyer") -> Verdict:
    """Write the quote, inside the caller's transaction. If enough was received, the invoice is paid and no new option is added.

    Raises InvoiceMoved when the invoice changed since the quote was prepared, QuoteRefused, LateMoneyRefused, and IntegrityError when
    the node gave its destination away twice.
    """
    preview = quote.preview
    invoice = copy(preview.invoice)
    _check(invoice)
    subject().reserve_again(invoice)
    for money in preview.late:
        credited = {"late": money.payment.late, "minor_per_coin": money.payment.minor_per_coin}
        Payment.objects.filter(pk=money.payment.pk).update(**credited, updated_at=timezone.now())
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
