"""Read an invoice's rows and evaluate them by the rule of payments.invoices.evaluation. Writes nothing."""

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db.models import QuerySet

from cryptons.coins import CARD
from cryptons.money import UNITS, base_to_fiat
from payments.confirmations import payment_status
from payments.invoices.evaluation import GONE, Received, Terms, Verdict, completes, evaluate
from payments.invoices.refundable import NOT_SENT_YET, promised
from payments.models import Cursor, Invoice, Payment, Payout


@dataclass(frozen=True)
class Assessment:
    """An invoice, its payments with the statuses that their latest facts give them, and the verdict on all of it."""

    invoice: Invoice
    """As it was read: its version must still be the stored one when the verdict is written."""
    at: datetime
    statuses: Mapping[Payment, str]
    moved: Mapping[Payment, str]
    """The payments whose status differs from the stored one, with the new status."""
    terms: Terms
    verdict: Verdict

    @property
    def is_stored(self) -> bool:
        """Whether the stored rows already agree with the verdict."""
        return not self.moved and self.verdict == stored_verdict(self.invoice)

    @property
    def undecided_late(self) -> list[Payment]:
        """Late payments without a decision, if they complete the price; otherwise no decision is needed."""
        late = [
            payment
            for payment, status in self.statuses.items()
            if payment.is_undecided and status != GONE and received_as(payment, status).is_late
        ]
        return late if not self.invoice.override and self.completes_with(late) else []

    def completes_with(self, late: Collection[Payment]) -> bool:
        """Return whether the price is paid if these are accepted. Also true if it is paid without them: the order must not matter."""
        received = [received_as(payment, status) for payment, status in self.statuses.items()]
        return bool(late) and completes(self.terms, received, [received_as(payment, self.statuses[payment]) for payment in late])


def assess(invoice: Invoice, at: datetime, *, statuses: Mapping[Payment, str] | None = None) -> Assessment:
    """Evaluate the invoice now. `statuses`: payments that were read before, some perhaps `as_accepted`, with their statuses."""
    statuses = _read_statuses(invoice) if statuses is None else statuses
    terms = terms_of(invoice, statuses)
    verdict = evaluate(terms, [received_as(payment, status) for payment, status in statuses.items()], at=at)
    moved = {payment: status for payment, status in statuses.items() if payment.status != status}
    return Assessment(invoice, at, statuses, moved, terms, verdict)


def as_accepted(payment: Payment, *, minor_per_coin: Decimal | None = None) -> Payment:
    """Return a copy of a late payment as if it were accepted, at the given rate or at that of its quote."""
    accepted = copy(payment)
    accepted.late = Payment.Late.SLOW if payment.is_slow else Payment.Late.ACCEPTED
    accepted.minor_per_coin = minor_per_coin or payment.minor_per_coin
    return accepted


def stored_verdict(invoice: Invoice) -> Verdict:
    return Verdict(invoice.status, invoice.flags, invoice.paid_seen_minor, invoice.paid_safe_minor, invoice.is_mined)


def received_as(payment: Payment, status: str) -> Received:
    rate = payment.credited_minor_per_coin
    return Received(
        value_minor=_value(payment),
        dust_minor=base_to_fiat(UNITS[payment.network].dust_base, minor_per_coin=rate, network=payment.network),
        first_seen_at=payment.first_seen_at,
        due_by=payment.option.expires_at,
        status=status,
        is_accepted=payment.is_accepted,
        is_conflicted=payment.is_conflicted,
        is_mined=payment.height is not None or payment.is_safe,
        is_slow=payment.is_slow,
    )


def terms_of(invoice: Invoice, payments: Collection[Payment] = ()) -> Terms:
    """Return what the invoice asks for. The payments give the rates at which refunded money was credited."""
    return Terms(
        price_minor=invoice.price_minor,
        tolerance_percent=invoice.tolerance_percent,
        tolerance_cap_minor=invoice.tolerance_cap_minor,
        expires_at=invoice.expires_at,
        override=invoice.override,
        has_settled=invoice.settled_at is not None,
        returned_minor=_returned(invoice, payments),
    )


def _read_statuses(invoice: Invoice) -> dict[Payment, str]:
    payments = list(Payment.objects.filter(invoice=invoice).prefetch_related("option"))
    tips = dict(Cursor.objects.filter(network__in={p.network for p in payments}).values_list("network", "tip_height")) if payments else {}
    return {
        payment: payment_status(payment, tip_height=tips.get(payment.network), confirmations_needed=invoice.confirmations_needed)
        for payment in payments
    }


def _returned(invoice: Invoice, payments: Collection[Payment]) -> Fraction:
    """Return the value of payouts that reduce what was received. A refund after the invoice settled does not."""
    if not payments:
        return Fraction(0)
    payouts = promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS)
    if invoice.settled_at is not None:
        payouts = payouts.filter(created_at__lt=invoice.settled_at)
    return _worth(payouts, payments) + _excess_without_cover(invoice, payments)


def _excess_without_cover(invoice: Invoice, payments: Collection[Payment]) -> Fraction:
    """Return the value of excess payouts that were sent, if the remaining payments no longer cover them: one is gone since, or smaller.

    Then all that went is missing, not only what is not covered: the price is short of it. A payout that was not sent yet takes nothing from
    the order: it stops (payments.payouts.cover).
    """
    here = [payment for payment in payments if payment.is_present]
    if len(here) == len(payments) and all(payment.network != CARD for payment in here):
        return Fraction(0)  # only the bank of a card takes back a part of a payment
    beyond = sum((_value(payment) for payment in here), Fraction(-invoice.price_minor))
    sent = promised(invoice.pk).filter(kind=Payout.Kind.EXCESS).exclude(status__in=NOT_SENT_YET)
    went = _worth(sent, payments)
    return went if went - beyond >= 1 else Fraction(0)  # less than a minor unit is rounding


def _worth(payouts: QuerySet[Payout], payments: Iterable[Payment]) -> Fraction:
    """Value payouts in the invoice's minor units, at the rate at which money of that coin was credited."""
    rates = {UNITS[payment.network].coin: payment.credited_minor_per_coin for payment in payments}
    values = (
        base_to_fiat(amount, minor_per_coin=rates[UNITS[network].coin], network=network)
        for network, amount in payouts.order_by().values_list("network", "amount_base")
        if UNITS[network].coin in rates
    )
    return sum(values, Fraction(0))


def _value(payment: Payment) -> Fraction:
    """Value the payment in the invoice's minor units."""
    return base_to_fiat(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network)
