"""What of an invoice's money can still go back to its buyer."""

from collections.abc import Iterable
from fractions import Fraction
from uuid import UUID

from cryptons.money import UNITS, Base, base_to_fiat
from payments.models import Invoice, Payment, Payout

NOTHING_WENT = (Payout.Status.FAILED, Payout.Status.WITHDRAWN)


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
    finest = UNITS["BTC" if network == "BTC-LN" else network].base_per_coin
    whole = coins * finest
    return Base(whole.numerator // whole.denominator * (UNITS[network].base_per_coin // finest))


def refundable(invoice_id: UUID) -> dict[str, Base]:
    """{network: the most that may go back over it}. Only settled money counts: what may still vanish is not paid back."""
    received = Payment.objects.filter(invoice=invoice_id, status=Payment.Status.SETTLED).order_by().values_list("network", "amount_base")
    paid_out = Payout.objects.filter(invoice=invoice_id).exclude(status__in=NOTHING_WENT).order_by().values_list("network", "amount_base")
    left = left_of(received, paid_out)
    amounts = {network: in_base(left[unit.coin], network) for network, unit in UNITS.items() if unit.coin in left}
    return {network: amount for network, amount in amounts.items() if amount > UNITS[network].dust_base}


def excess(invoice: Invoice, network: str) -> Base:
    """What stays beyond the price, at the rates at which it was credited and less what was paid out of it; in the coin of the network."""
    payments = list(Payment.objects.filter(invoice=invoice, status=Payment.Status.SETTLED).prefetch_related("option"))
    rates = {UNITS[payment.network].coin: payment.credited_minor_per_coin for payment in payments}
    values = [
        base_to_fiat(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network) for payment in payments
    ]
    paid_out = Payout.objects.filter(invoice=invoice).exclude(status__in=NOTHING_WENT).order_by().values_list("network", "amount_base")
    gone = [
        base_to_fiat(amount, minor_per_coin=rates[UNITS[each].coin], network=each) for each, amount in paid_out if UNITS[each].coin in rates
    ]
    over = sum(values, Fraction(0)) - sum(gone, Fraction(0)) - invoice.price_minor
    rate = rates.get(UNITS[network].coin)
    return in_base(over / Fraction(rate), network) if rate and over > 0 else Base(0)


def most_of_kind(invoice: Invoice, kind: str) -> dict[str, Base]:
    """{network: the most that a payout of this kind may be}: of an excess no more than what was paid beyond the price."""
    most = refundable(invoice.pk)
    if kind == Payout.Kind.EXCESS:
        most = {network: min(amount, excess(invoice, network)) for network, amount in most.items()}
    return {network: amount for network, amount in most.items() if amount > UNITS[network].dust_base}
