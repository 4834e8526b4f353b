"""Send what was approved, once in effect: whatever dies between two lines, the next try finds what was done and goes on from there."""

import hashlib
import logging
from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F

from cryptons.coins import LIGHTNING, CoreCoin, configured_coin
from cryptons.db import in_transaction
from cryptons.money import UNITS, Base
from payments.errors import NodeRejected, NodeUnavailable, PayoutMoved, PayoutRefused
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.registry import is_sandbox
from payments.payouts.destinations import BadDestination, check_request
from payments.payouts.workflow import UNFINISHED, mark_sent, move_payout

logger = logging.getLogger(__name__)

HOLD = timedelta(minutes=2)
"""How long a payout is left alone while somebody sends it: longer than any conversation with a node takes."""
WAITS = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600)]
Status = Payout.Status


def send(payout_id: UUID, *, at: datetime) -> None:
    """One step, or all of them, if it is due. Safe to repeat, by any number of workers."""
    due = Payout.objects.filter(pk=payout_id, next_try_at__lte=at)
    if not due.update(next_try_at=at + HOLD, attempts=F("attempts") + 1):
        return
    payout = Payout.objects.get(pk=payout_id)
    if payout.status not in UNFINISHED:
        return  # withdrawn, or recorded by hand, since the line above
    try:
        _way(payout)(payout, at)
    except (NodeUnavailable, NodeRejected) as error:
        later = at + WAITS[min(payout.attempts, len(WAITS)) - 1]
        Payout.objects.filter(pk=payout.pk, version=payout.version).update(next_try_at=later, error=str(error)[:300])
        logger.warning("a payout waits", extra={"network": payout.network, "error": str(error)})
    except PayoutMoved:
        return


def _way(payout: Payout) -> Callable[[Payout, datetime], None]:
    if is_sandbox():
        return _send_in_sandbox
    return _send_over_lightning if payout.network == LIGHTNING else _send_on_chain


def _move(payout: Payout, status: str, at: datetime, **values: Any) -> None:
    in_transaction(lambda: move_payout(payout, status, at=at, **values))


def _note(payout: Payout, **values: Any) -> None:
    Payout.objects.filter(pk=payout.pk, version=payout.version).update(**values)


# --- Chains -------------------------------------------------------------------------------------------------------------------


def _send_on_chain(payout: Payout, at: datetime) -> None:
    coin = configured_coin(payout.network)
    if coin is None:
        raise NodeRejected(f"No node sends {UNITS[payout.network].name} here: send it by hand, and record it.")
    if payout.status == Status.APPROVED and payout.psbt:
        _note(payout, next_try_at=None)  # staff have yet to sign it
        return
    if payout.status == Status.APPROVED:
        made = _draft_on_chain(coin, payout, at)
        if made is None:
            return
        try:
            _store(payout, made, at)
        except PayoutMoved:
            chain_payouts.release(coin, made.psbt)  # withdrawn meanwhile, or somebody does not want to wait: this one is never sent
            raise
        if not made.raw:
            return
    outcome = chain_payouts.broadcast(coin, payout.psbt, payout.reference or "")
    _conclude(payout, outcome.status, outcome.problem, payout.fee_base, at)


def _store(payout: Payout, made: chain_payouts.Draft, at: datetime) -> None:
    """Before the network hears of it, or staff sign it."""
    if made.raw:
        values = {"reference": made.txid, "psbt": made.raw, "fee_base": made.fee_base, "next_try_at": at + HOLD, "error": ""}
        _move(payout, Status.SENDING, at, **values)
    else:
        _move(payout, Status.APPROVED, at, psbt=made.psbt, fee_base=made.fee_base, next_try_at=None, error="")


def _draft_on_chain(coin: CoreCoin, payout: Payout, at: datetime) -> chain_payouts.Draft | None:
    """None when the wallet is empty: the payout has failed. While others hold coins it waits for their change."""
    others = Payout.objects.filter(network=payout.network, status__in=UNFINISHED).exclude(psbt="").exclude(pk=payout.pk)
    kept = list(others.values_list("psbt", flat=True))
    try:
        return chain_payouts.draft(coin, payout.destination, Base(payout.amount_base), kept)
    except chain_payouts.OutOfFunds as error:
        if kept:
            raise
        _move(payout, Status.FAILED, at, error=str(error)[:300], next_try_at=None)
        return None


def accept_signed(payout_id: UUID, signed: str, *, actor: str, at: datetime) -> Payout:
    """Staff signed the PSBT of an approved payout: it is stored, then sent.

    Raises PayoutRefused, PayoutMoved, NodeUnavailable, NodeRejected.
    """
    payout = Payout.objects.get(pk=payout_id)
    coin = configured_coin(payout.network)
    if payout.status != Status.APPROVED or not payout.psbt or coin is None:
        raise PayoutRefused(f"This payout is {payout.status} and waits for no signature.")
    ready = chain_payouts.signed_by_staff(coin, payout.psbt, signed, payout.destination, Base(payout.amount_base))
    values = {"reference": ready.txid, "psbt": ready.raw, "fee_base": ready.fee_base, "next_try_at": at, "error": ""}
    return in_transaction(lambda: move_payout(payout, Status.SENDING, at=at, actor=actor, **values))


# --- Lightning ----------------------------------------------------------------------------------------------------------------


def fee_limit(amount_msat: int) -> int:
    """In millisatoshis. PAYOUT_FEE_PERCENT of the amount, and ten satoshis at least: 0 would forbid every fee."""
    return max(10_000, int(amount_msat * settings.PAYOUT_FEE_PERCENT / 100))


def _send_over_lightning(payout: Payout, at: datetime) -> None:
    if not settings.LND_PAYOUT_MACAROON:
        raise NodeRejected("LND_PAYOUT_MACAROON is not set for this worker: it cannot pay over Lightning.")
    if payout.status == Status.APPROVED:
        try:
            request = check_request(payout.destination, payout.amount_base, at=at)
        except BadDestination as error:
            _move(payout, Status.FAILED, at, error=str(error)[:300], next_try_at=None)
            return
        lightning_payouts.decode(payout.destination)  # its signature; and whether LND lets us pay at all
        limit = fee_limit(payout.amount_base)
        values = {"reference": request.payment_hash, "fee_limit_base": limit, "next_try_at": at + HOLD, "error": ""}
        try:
            _move(copy(payout), Status.SENDING, at, **values)
        except IntegrityError:
            _move(payout, Status.FAILED, at, error="This Lightning invoice belongs to another payout: ask for a new one.", next_try_at=None)
            return
        payout.refresh_from_db()
        _conclude_lightning(payout, _pay(payout), at)
        return
    outcome = lightning_payouts.track(payout.reference or "")
    _conclude_lightning(payout, _pay(payout) if outcome.status == "absent" else outcome, at)


def _pay(payout: Payout) -> lightning_payouts.Outcome:
    request = check_request(payout.destination, payout.amount_base, at=None)
    outcome = lightning_payouts.pay(
        payout.destination,
        amount_msat=payout.amount_base,
        asks_amount=request.amount_msat is not None,
        fee_limit_msat=payout.fee_limit_base or fee_limit(payout.amount_base),
    )
    if outcome.status != "refused":
        return outcome
    known = lightning_payouts.track(payout.reference or "")
    return lightning_payouts.Outcome("failed", problem=outcome.problem) if known.status == "absent" else known


def _conclude_lightning(payout: Payout, outcome: lightning_payouts.Outcome, at: datetime) -> None:
    _conclude(payout, outcome.status, outcome.problem, outcome.fee_msat, at)


# --- How it ended -------------------------------------------------------------------------------------------------------------


def _conclude(payout: Payout, outcome: str, problem: str, fee_base: int | None, at: datetime) -> None:
    """Whatever is neither sent nor failed for good is unknown, and asked for again."""
    if outcome == "sent":
        in_transaction(lambda: mark_sent(payout, payout.reference or "", fee_base=fee_base, at=at))
    elif outcome == "failed":
        _move(payout, Status.FAILED, at, error=problem[:300], next_try_at=None, reference=None, psbt="")
    else:
        later = at + WAITS[min(payout.attempts, len(WAITS)) - 1]
        if payout.status == Status.UNKNOWN:
            _note(payout, next_try_at=later, error=problem[:300])
        else:
            _move(payout, Status.UNKNOWN, at, next_try_at=later, error=problem[:300])


# --- The sandbox --------------------------------------------------------------------------------------------------------------


def _send_in_sandbox(payout: Payout, at: datetime) -> None:
    """Play money is there at once."""
    txid = hashlib.sha256(f"payout {payout.pk}".encode()).hexdigest()
    in_transaction(lambda: mark_sent(payout, txid, fee_base=0, at=at))
