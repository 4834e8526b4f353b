"""What of an invoice's money can still go back to its buyer."""

from collections.abc import Iterable
from fractions import Fraction
from uuid import UUID

from django.db.models import QuerySet

from cryptons.money import UNITS, Base, base_to_fiat
from payments.models import Invoice, Payment, Payout
from payments.subject import subject

NOTHING_WENT = (Payout.Status.FAILED, Payout.Status.WITHDRAWN)
STILL_PAYABLE = (Invoice.Status.NEW, Invoice.Status.PROCESSING)


def left_of(received: Iterable[tuple[str, int]], paid_out: Iterable[tuple[str, int]]) -> dict[str, Fraction]:
    """{coin: coins}, from (network, base units) each. Chain and Lightning share their coin. Pure; never below zero."""
    left: dict[str, Fraction] = {}
    for sign, amounts in ((1, received), (-1, paid_out)):
        for network, amount in amounts:
            unit = UNITS[network]
            left[unit.coin] = left.get(unit.coin, Fraction(0)) + sign * Fraction(amount, unit.base_per_coin)
    return {coin: max(Fraction(0), amount) for coin, amount in left.items()}


def in_base(coins: Fraction, network: str) -> Base:
    """Rounded down: to whole satoshis over Lightning too, as its invoices are written."""
    finest = UNITS[UNITS[network].coin].base_per_coin
    whole = coins * finest
    return Base(whole.numerator // whole.denominator * (UNITS[network].base_per_coin // finest))


def promised(invoice_id: UUID) -> QuerySet[Payout]:
    """What went back, or still may."""
    return Payout.objects.filter(invoice=invoice_id).exclude(status__in=NOTHING_WENT)


def unreturned(invoice_id: UUID) -> dict[str, Fraction]:
    """{coin: coins} that came, whether they are settled yet or not, and that nobody promised to send back."""
    came = Payment.objects.filter(invoice=invoice_id, is_present=True).order_by().values_list("network", "amount_base")
    return left_of(came, promised(invoice_id).order_by().values_list("network", "amount_base"))


def refundable(invoice_id: UUID, *, beside: Payout | None = None) -> dict[str, Base]:
    """{network: the most that may go back over it}, or may in place of the payout `beside`.

    Only settled money counts: what may still vanish is not paid back.
    """
    received = Payment.objects.filter(invoice=invoice_id, status=Payment.Status.SETTLED).order_by().values_list("network", "amount_base")
    payouts = promised(invoice_id).exclude(pk=beside.pk) if beside else promised(invoice_id)
    left = left_of(received, payouts.order_by().values_list("network", "amount_base"))
    amounts = {network: in_base(left[unit.coin], network) for network, unit in UNITS.items() if unit.coin in left}
    return {network: amount for network, amount in amounts.items() if amount > UNITS[network].dust_base}


def excess(invoice: Invoice, network: str) -> Base:
    """What was paid beyond the price and did not go back yet, at the rates at which it was credited; in the coin of the network."""
    payments = list(Payment.objects.filter(invoice=invoice, status=Payment.Status.SETTLED).prefetch_related("option"))
    rates = {UNITS[payment.network].coin: payment.credited_minor_per_coin for payment in payments}
    over = Fraction(-invoice.price_minor)
    for payment in payments:
        over += base_to_fiat(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network)
    for payout in promised(invoice.pk):
        rate = rates.get(UNITS[payout.network].coin, payout.minor_per_coin)
        over -= base_to_fiat(payout.amount_base, minor_per_coin=rate, network=payout.network)
    coin = UNITS[network].coin
    return in_base(over / Fraction(rates[coin]), network) if coin in rates and over > 0 else Base(0)


def most_of_kind(invoice: Invoice, kind: str) -> dict[str, Base]:
    """{network: the most that a payout of this kind may be}: of an excess no more than what was paid beyond the price."""
    most = refundable(invoice.pk)
    if kind == Payout.Kind.EXCESS:
        most = {network: min(amount, excess(invoice, network)) for network, amount in most.items()}
    return {network: amount for network, amount in most.items() if amount > UNITS[network].dust_base}


def staffs_kinds(invoice: Invoice) -> list[str]:
    """The kinds of payout for which there is money that could go back."""
    if invoice.status in STILL_PAYABLE:
        return []
    kinds = (Payout.Kind.EXCESS, Payout.Kind.REFUND) if invoice.status == Invoice.Status.SETTLED else (Payout.Kind.LATE,)
    return [kind for kind in kinds if most_of_kind(invoice, kind)]


def buyers_kind(invoice: Invoice) -> str:
    """Of what the buyer may ask for without being asked: all of it, unless it pays for something that somebody still waits for."""
    if invoice.status != Invoice.Status.SETTLED:
        return Payout.Kind.LATE
    return Payout.Kind.EXCESS if subject().is_wanted(invoice) else Payout.Kind.REFUND
