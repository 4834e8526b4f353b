"""Whether the wallets that pay out agree with the shop's payouts. Needs what only the payouts' worker has: so that worker does it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.conf import settings

from cryptons.chunks import chunks
from cryptons.coins import LIGHTNING, CoreCoin, core_coins
from cryptons.money import format_coin
from payments.accounting.comparison import Difference, Kind
from payments.accounting.periods import Period
from payments.accounting.reconcile import Report
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.history import read_spending
from payments.networks.bitcoin.wallet import open_payout_wallet
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.lightning.history import BOOKS, read_payments
from payments.networks.lightning.rpc import open_lnd
from payments.networks.registry import is_sandbox


def check_payouts(period: Period, *, network: str = "") -> Report:
    """Those that the shop sent in the period; what staff sent from wallets of their own is theirs. The period must have both ends."""
    differences: list[Difference] = []
    unread: dict[str, str] = {}
    left_out: list[str] = []
    sent = Payout.objects.filter(period.of("sent_at"), status=Payout.Status.SENT)
    for coin in () if is_sandbox() else core_coins():
        if coin.host and network in ("", coin.code):
            try:
                differences += _check_chain(coin, list(sent.filter(network=coin.code).exclude(psbt="")), period)
            except (NodeUnavailable, NodeRejected) as error:
                unread[f"{coin.code} payouts"] = str(error)
    if settings.LND_HOST and network in ("", LIGHTNING):
        over_lightning = list(sent.filter(network=LIGHTNING, fee_limit_base__isnull=False))
        if settings.LND_PAYOUT_MACAROON:
            try:
                differences += _check_lightning(over_lightning, period)
            except (NodeUnavailable, NodeRejected) as error:
                unread[f"{LIGHTNING} payouts"] = str(error)
        elif over_lightning:
            left_out.append("Payouts over Lightning are left out: LND_PAYOUT_MACAROON is not set here.")
    return Report(tuple(differences), {}, unread, tuple(left_out))


def _check_chain(coin: CoreCoin, payouts: list[Payout], period: Period) -> Iterator[Difference]:
    ours = [payout for payout in payouts if payout.reference and not payout.psbt.startswith(chain_payouts.UNSIGNED)]
    paid = chain_payouts.paid_by(coin, [payout.reference for payout in ours if payout.reference]) if ours else {}
    for payout in ours:
        told = paid.get(payout.reference or "")
        if told is None:
            yield _difference(payout, "the wallet for payouts knows of no such transaction. Is it another wallet than before?")
        elif told.get(payout.destination) != payout.amount_base:
            amount = format_coin(told.get(payout.destination, 0), coin.code)
            yield _difference(payout, f"its transaction pays {amount} {coin.code} to {payout.destination}.")
    if coin.payout_wallet and period.since and period.until:
        yield from _unordered(coin, period.since, period.until)


def _unordered(coin: CoreCoin, since: datetime, until: datetime) -> Iterator[Difference]:
    """What left a wallet that is for payouts alone."""
    with open_payout_wallet(coin) as wallet:
        spent = read_spending(wallet, since, until)
    known = _sent_by_the_shop(coin.code, spent)
    for txid, paid in spent.items():
        if txid not in known:
            amounts = ", ".join(f"{format_coin(amount, coin.code)} {coin.code} to {address}" for address, amount in paid.items())
            text = (
                f"{amounts} left the wallet for payouts, and no payout of the shop sent it. If nobody did so by hand, the keys are stolen."
            )
            yield Difference(Kind.UNORDERED, coin.code, txid, text)


def _check_lightning(payouts: Iterable[Payout], period: Period) -> Iterator[Difference]:
    for payout in payouts:
        outcome = lightning_payouts.track(payout.reference or "")
        if outcome.status == "unknown":
            raise NodeUnavailable(outcome.problem or f"LND does not say how the payment {payout.reference} stands.")
        if outcome.status != "sent":
            yield _difference(payout, f"for LND it is {outcome.status}.")
    if period.since and period.until:
        yield from _unordered_over_lightning(period.since, period.until)


def _unordered_over_lightning(since: datetime, until: datetime) -> Iterator[Difference]:
    """What LND paid, or is paying, by nobody's order in the shop."""
    with open_lnd(within=BOOKS, macaroon=lightning_payouts.MACAROON) as lnd:
        spent = read_payments(lnd, since, until)
    known = _sent_by_the_shop(LIGHTNING, spent)
    for payment_hash, spending in spent.items():
        if payment_hash not in known:
            text = (
                f"{format_coin(spending.amount_msat, LIGHTNING)} {LIGHTNING} {'left' if spending.is_settled else 'is leaving'} LND by a "
                f"payment that began at {spending.begun_at:%Y-%m-%d %H:%M:%S} UTC, and no payout of the shop sent it. If nobody did so by "
                "hand, a macaroon that can pay is stolen."
            )
            yield Difference(Kind.UNORDERED, LIGHTNING, payment_hash, text)


def _sent_by_the_shop(network: str, references: Iterable[str]) -> set[str | None]:
    """Those of them that a payout has; it has its own before a node hears of it."""
    found: set[str | None] = set()
    for piece in chunks(references):
        found.update(Payout.objects.filter(network=network, reference__in=piece).values_list("reference", flat=True))
    return found


def _difference(payout: Payout, problem: str) -> Difference:
    text = f"{payout.amount_text} {payout.network} were sent for {payout.invoice.label}, and {problem}"
    return Difference(Kind.PAYOUT, payout.network, payout.reference or str(payout.pk), text, payout.sent_at)
