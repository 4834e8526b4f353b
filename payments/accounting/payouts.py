"""Reconcile the shop's payouts with the wallets that pay them. Only the payouts' worker has the credentials to do so."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.chunks import chunks
from cryptons.coins import CARD, LIGHTNING, CoreCoin, core_coins
from cryptons.formats import network_amount
from payments.accounting.comparison import Difference, Kind
from payments.accounting.periods import Period
from payments.accounting.reconcile import Report
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.history import read_spending
from payments.networks.bitcoin.wallet import open_payout_wallet
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.lightning.history import RECORDS_TIMEOUT, read_payments
from payments.networks.lightning.rpc import open_lnd
from payments.networks.registry import is_sandbox, offered_networks
from payments.networks.stripe.refunds import read_refund


def reconcile_payouts(period: Period, *, network: str = "") -> Report:
    """Return every difference about payouts that the shop sent in the period. The period must have both ends.

    Payouts that staff sent from other wallets are left out.
    """
    differences: list[Difference] = []
    unread: dict[str, str] = {}
    left_out: list[str] = []
    sent = Payout.objects.filter(period.of("sent_at"), status=Payout.Status.SENT)
    for coin in () if is_sandbox() else core_coins():
        if coin.host and network in ("", coin.code):
            try:
                differences += _compare_on_chain(coin, list(sent.filter(network=coin.code).exclude(psbt="")), period)
            except (NodeUnavailable, NodeRejected) as error:
                unread[f"{coin.code} payouts"] = str(error)
    if settings.LND_HOST and network in ("", LIGHTNING):
        over_lightning = list(sent.filter(network=LIGHTNING, fee_limit_base__isnull=False))
        if settings.LND_PAYOUT_MACAROON:
            try:
                differences += _compare_lightning(over_lightning, period)
            except (NodeUnavailable, NodeRejected) as error:
                unread[f"{LIGHTNING} payouts"] = str(error)
        elif over_lightning:
            left_out.append(_("Payouts over Lightning are left out, because LND_PAYOUT_MACAROON is not set here."))
    if CARD in offered_networks() and network in ("", CARD):
        try:
            differences += _compare_cards(sent.filter(network=CARD, fee_base__isnull=False))
        except (NodeUnavailable, NodeRejected) as error:
            unread[f"{CARD} payouts"] = str(error)
    return Report(tuple(differences), {}, unread, tuple(left_out))


def _compare_cards(payouts: Iterable[Payout]) -> Iterator[Difference]:
    """Compare refunds with those of Stripe. What was refunded there and not by a payout is a fact about its payment."""
    for payout in payouts:
        made = read_refund(payout.reference or "")
        if made is None or made.status == "failed":
            text = _("%(payout)s, but Stripe has no such refund, or it has failed. Check it in Stripe's dashboard.")
            yield _difference(payout, text % {"payout": _sent(payout)})
        elif made.amount != payout.amount_base:
            words = {"payout": _sent(payout), "amount": network_amount(made.amount, CARD)}
            yield _difference(payout, _("%(payout)s, but Stripe refunded %(amount)s.") % words)


def _compare_on_chain(coin: CoreCoin, payouts: list[Payout], period: Period) -> Iterator[Difference]:
    ours = [payout for payout in payouts if payout.reference and not payout.psbt.startswith(chain_payouts.UNSIGNED)]
    paid = chain_payouts.paid_by(coin, [payout.reference for payout in ours if payout.reference]) if ours else {}
    for payout in ours:
        outputs = paid.get(payout.reference or "")
        if outputs is None:
            yield _difference(
                payout,
                _("%(payout)s, but the payout wallet does not have that transaction. Check whether the wallet was replaced.")
                % {"payout": _sent(payout)},
            )
        elif outputs.get(payout.destination) != payout.amount_base:
            words = {
                "payout": _sent(payout),
                "amount": network_amount(outputs.get(payout.destination, 0), coin.code),
                "destination": payout.destination,
            }
            yield _difference(payout, _("%(payout)s, but its transaction pays %(amount)s to %(destination)s.") % words)
    if coin.payout_wallet and period.since and period.until:
        yield from _unknown_spending(coin, period.since, period.until)


def _unknown_spending(coin: CoreCoin, since: datetime, until: datetime) -> Iterator[Difference]:
    """Yield what left a wallet that is only for payouts, and was not sent by the shop."""
    with open_payout_wallet(coin) as wallet:
        spent = read_spending(wallet, since, until)
    known = _known_references(coin.code, spent)
    for txid, paid in spent.items():
        if txid not in known:
            outputs = [
                _("%(amount)s to %(address)s") % {"amount": network_amount(amount, coin.code), "address": address}
                for address, amount in paid.items()
            ]
            text = _(
                "%(outputs)s left the payout wallet, and no payout of the shop sent it. If nobody sent it manually, the keys are stolen."
            ) % {"outputs": ", ".join(outputs)}
            yield Difference(Kind.UNORDERED, coin.code, txid, text)


def _compare_lightning(payouts: Iterable[Payout], period: Period) -> Iterator[Difference]:
    for payout in payouts:
        outcome = lightning_payouts.track(payout.reference or "")
        if outcome.status == "unknown":
            raise NodeUnavailable(
                outcome.problem or _("LND does not report the status of the payment %(payment)s.") % {"payment": payout.reference}
            )
        if outcome.status != "sent":
            words = {"payout": _sent(payout), "status": outcome.status}
            yield _difference(payout, _("%(payout)s, but for LND its status is “%(status)s”.") % words)
    if period.since and period.until:
        yield from _unknown_lightning_spending(period.since, period.until)


def _unknown_lightning_spending(since: datetime, until: datetime) -> Iterator[Difference]:
    """Yield what LND paid or is paying, and was not sent by the shop."""
    with open_lnd(within=RECORDS_TIMEOUT, macaroon=lightning_payouts.MACAROON) as lnd:
        spent = read_payments(lnd, since, until)
    known = _known_references(LIGHTNING, spent)
    for payment_hash, spending in spent.items():
        if payment_hash not in known:
            words = {
                "amount": network_amount(spending.amount_msat, LIGHTNING),
                "time": f"{spending.begun_at:%Y-%m-%d %H:%M:%S}",
            }
            if spending.is_settled:
                text = _(
                    "%(amount)s left LND by a payment that began at %(time)s UTC, and no payout of the shop sent it. If nobody sent it "
                    "manually, a macaroon that can pay is stolen."
                )
            else:
                text = _(
                    "%(amount)s is leaving LND by a payment that began at %(time)s UTC, and no payout of the shop sent it. If nobody sent "
                    "it manually, a macaroon that can pay is stolen."
                )
            yield Difference(Kind.UNORDERED, LIGHTNING, payment_hash, text % words)


def _known_references(network: str, references: Iterable[str]) -> set[str | None]:
    """Return those references that belong to a payout. A payout stores its reference before a node learns of it."""
    known: set[str | None] = set()
    for piece in chunks(references):
        known.update(Payout.objects.filter(network=network, reference__in=piece).values_list("reference", flat=True))
    return known


def _sent(payout: Payout) -> str:
    words = {"amount": network_amount(payout.amount_base, payout.network), "invoice": payout.invoice.order_number}
    return _("%(amount)s was sent for %(invoice)s") % words


def _difference(payout: Payout, text: str) -> Difference:
    return Difference(Kind.PAYOUT, payout.network, payout.reference or str(payout.pk), text, payout.sent_at)
