"""Calculate what can still be refunded of an invoice's money."""

from collections.abc import Iterable
from fractions import Fraction
from uuid import UUID

from django.db.models import QuerySet

from cryptons.money import UNITS, Base, base_to_fiat
from payments.models import Invoice, Payment, Payout
from payments.networks.registry import is_play_money
from payments.subject import subject

NOTHING_WENT = (Payout.Status.FAILED, Payout.Status.WITHDRAWN)
NOT_SENT_YET = (Payout.Status.DRAFT, Payout.Status.APPROVED)
"""No node was given anything of it, so it can still be stopped."""
STILL_PAYABLE = (Invoice.Status.NEW, Invoice.Status.PROCESSING)


def left_of(received: Iterable[tuple[str, int]], paid_out: Iterable[tuple[str, int]]) -> dict[str, Fraction]:
    """Subtract payouts from payments, both as (network, base units). Returns {coin: coins}, never below zero. Pure.

    Bitcoin's chain and Lightning share their coin.
    """
    left: dict[str, Fraction] = {}
    for sign, amounts in ((1, received), (-1, paid_out)):
        for network, amount in amounts:
            unit = UNITS[network]
            left[unit.coin] = left.get(unit.coin, Fraction(0)) + sign * Fraction(amount, unit.base_per_coin)
    return {coin: max(Fraction(0), amount) for coin, amount in left.items()}


def in_base(coins: Fraction, network: str) -> Base:
    """Convert coins to base units of the network, rounded down. Lightning is rounded to whole satoshis too, as its invoices are."""
    finest = UNITS[UNITS[network].coin].base_per_coin
    whole = coins * finest
    return Base(whole.numerator // whole.denominator * (UNITS[network].base_per_coin // finest))


def promised(invoice_id: UUID) -> QuerySet[Payout]:
    """Select the invoice's payouts that were sent or may still be sent."""
    return Payout.objects.filter(invoice=invoice_id).exclude(status__in=NOTHING_WENT)


def unreturned(invoice_id: UUID) -> dict[str, Fraction]:
    """Return {coin: coins} that were received, settled or not, and are in no payout."""
    came = Payment.objects.filter(invoice=invoice_id, is_present=True).order_by().values_list("network", "amount_base")
    return left_of(came, promised(invoice_id).order_by().values_list("network", "amount_base"))


def refundable(invoice_id: UUID, *, without: Payout | None = None) -> dict[str, Base]:
    """Return {network: the most that may be refunded over it}, in base units; the payout `without` is ignored.

    Only settled money counts, because other payments may still disappear.
    """
    received = _settled(invoice_id).order_by().values_list("network", "amount_base")
    left = left_of(received, _promised_without(invoice_id, without).order_by().values_list("network", "amount_base"))
    amounts = {network: in_base(left[unit.coin], network) for network, unit in UNITS.items() if unit.coin in left}
    return {network: amount for network, amount in amounts.items() if amount > UNITS[network].dust_base}


def _settled(invoice_id: UUID) -> QuerySet[Payment]:
    return Payment.objects.filter(invoice=invoice_id, status=Payment.Status.SETTLED, is_present=True)


def _promised_without(invoice_id: UUID, without: Payout | None) -> QuerySet[Payout]:
    return promised(invoice_id).exclude(pk=without.pk) if without else promised(invoice_id)


def excess(invoice: Invoice, network: str, *, without: Payout | None = None) -> Base:
    """Return what was overpaid and is in no payout, at the credited rates, in base units of the network.

    `without` is a payout that is ignored, with those that refund the order itself: they may come after it, and take the price first.
    """
    payments = list(_settled(invoice.pk).prefetch_related("option"))
    rates = {UNITS[payment.network].coin: payment.credited_minor_per_coin for payment in payments}
    over = Fraction(-invoice.price_minor)
    for payment in payments:
        over += base_to_fiat(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network)
    others = _promised_without(invoice.pk, without)
    for payout in others.exclude(kind=Payout.Kind.REFUND) if without else others:
        rate = rates.get(UNITS[payout.network].coin, payout.minor_per_coin)
        over -= base_to_fiat(payout.amount_base, minor_per_coin=rate, network=payout.network)
    coin = UNITS[network].coin
    return in_base(over / Fraction(rates[coin]), network) if coin in rates and over > 0 else Base(0)


def most_of_kind(invoice: Invoice, kind: str, *, without: Payout | None = None) -> dict[str, Base]:
    """Return {network: the most that a payout of this kind may be}, in base units; the payout `without` is ignored.

    An excess is no more than what was overpaid, nor is late money once the invoice has settled: the rest pays the order. Of play money it
    is nothing, once the shop takes real money.
    """
    if is_play_money(invoice):
        return {}
    most = refundable(invoice.pk, without=without)
    if kind == Payout.Kind.EXCESS or (kind == Payout.Kind.LATE and invoice.status == Invoice.Status.SETTLED):
        most = {network: min(amount, excess(invoice, network, without=without)) for network, amount in most.items()}
    return {network: amount for network, amount in most.items() if amount > UNITS[network].dust_base}


def staffs_kinds(invoice: Invoice) -> list[str]:
    """Return the kinds of payout that staff can draft for the invoice."""
    if invoice.status in STILL_PAYABLE:
        return []
    kinds = (Payout.Kind.EXCESS, Payout.Kind.REFUND) if invoice.status == Invoice.Status.SETTLED else (Payout.Kind.LATE,)
    return [kind for kind in kinds if most_of_kind(invoice, kind)]


def buyers_kind(invoice: Invoice) -> str:
    """Return the kind of payout that the buyer may request: only the excess while the order is still wanted, else all money."""
    if invoice.status != Invoice.Status.SETTLED:
        return Payout.Kind.LATE
    return Payout.Kind.EXCESS if subject().is_wanted(invoice) else Payout.Kind.REFUND
