"""Send approved payouts, each exactly once in effect (D29 in docs/decisions.md).

When a worker dies between two steps, the next try goes on from there.
"""

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
from django.utils.translation import gettext as _

from cryptons.coins import CARD, LIGHTNING, CoreCoin, configured_coin
from cryptons.db import in_transaction
from cryptons.formats import coins
from cryptons.money import UNITS, Base
from payments.errors import NetworkNotOffered, NodeRejected, NodeUnavailable, NotCovered, PayoutMoved, PayoutRefused
from payments.invoices.refundable import NOT_SENT_YET
from payments.models import Invoice, Payment, Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.registry import get_network, is_play_money, is_sandbox
from payments.networks.stripe.refunds import read_left, read_refund, refund
from payments.payouts.cover import cover_problem
from payments.payouts.destinations import BadDestination, check_request
from payments.payouts.fees import fee_limit_of, fee_problem, no_route_problem
from payments.payouts.workflow import UNFINISHED, mark_sent, move_payout, resume_draft, stop_payout, wait_for_fees

logger = logging.getLogger(__name__)

HOLD = timedelta(minutes=2)
"""How long other workers leave a payout alone while one sends it: longer than any conversation with a node."""
WAITS = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600)]
FEE_WAIT = timedelta(minutes=30)
"""How long a payout with too high a fee waits before the node is asked again."""
Status = Payout.Status


def send(payout_id: UUID, *, at: datetime) -> None:
    """Take the next steps of a payout that is due. Safe to repeat, by any number of workers."""
    due = Payout.objects.filter(pk=payout_id, next_try_at__lte=at)
    if not due.update(next_try_at=at + HOLD, attempts=F("attempts") + 1):
        return
    payout = Payout.objects.get(pk=payout_id)
    if is_play_money(payout.invoice):
        return  # payments.payouts.play_money withdraws it
    try:
        if payout.status in NOT_SENT_YET and not _is_covered(payout, at):
            return
        if payout.status == Status.SENT and payout.network == CARD:
            _check_sent_refund(payout, at)
            return
        if payout.status not in UNFINISHED:
            return  # it is a draft; or it was withdrawn, or recorded as sent manually, since the first line
        _sender_for(payout)(payout, at)
    except NotCovered as error:
        _stop(payout_id, str(error), at)
    except (NetworkNotOffered, NodeUnavailable, NodeRejected) as error:
        later = at + WAITS[min(payout.attempts, len(WAITS)) - 1]
        Payout.objects.filter(pk=payout.pk, version=payout.version).update(next_try_at=later, error=str(error)[:300])
        logger.warning("a payout waits", extra={"network": payout.network, "error": str(error)})
    except PayoutMoved:
        return


def _is_covered(payout: Payout, at: datetime) -> bool:
    """Tell whether the money of a draft or an approved payout is there. If not, the payout stops, and only a person lets it go on."""
    invoice, is_stopped = Invoice.objects.get(pk=payout.invoice_id), payout.blocked_by == Payout.BlockedBy.COVER
    problem = cover_problem(payout, invoice)
    if problem and not (is_stopped and payout.error == problem[:300]):
        _stop(payout.pk, problem, at)
    elif payout.status == Status.DRAFT and is_stopped and not problem:
        in_transaction(lambda: resume_draft(payout, at=at))
    elif payout.status == Status.DRAFT or is_stopped:
        _update(payout, next_try_at=None)
    return not problem and not is_stopped


def _stop(payout_id: UUID, problem: str, at: datetime) -> None:
    def stop() -> None:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status in NOT_SENT_YET:
            stop_payout(payout, problem, at=at)

    in_transaction(stop)


def _sender_for(payout: Payout) -> Callable[[Payout, datetime], None]:
    if payout.network == CARD:
        return _refund_card
    if is_sandbox():
        return _send_in_sandbox
    return _send_over_lightning if payout.network == LIGHTNING else _send_on_chain


def _move(payout: Payout, status: str, at: datetime, **values: Any) -> None:
    in_transaction(lambda: move_payout(payout, status, at=at, **values))


def _update(payout: Payout, **values: Any) -> None:
    Payout.objects.filter(pk=payout.pk, version=payout.version).update(**values)


# --- Chains -------------------------------------------------------------------------------------------------------------------


def _send_on_chain(payout: Payout, at: datetime) -> None:
    coin = configured_coin(payout.network)
    if coin is None:
        raise NodeRejected(
            _("No node is configured to send %(coin)s: send the payout from another wallet, and record it as sent manually.")
            % {"coin": UNITS[payout.network].name}
        )
    if payout.status == Status.APPROVED and payout.psbt:
        _update(payout, next_try_at=None)  # it waits for the signature of staff
        return
    if payout.status == Status.APPROVED:
        made = _draft_on_chain(coin, payout, at)
        if made is None:
            return
        try:
            _store(payout, made, at)
        except (PayoutMoved, NotCovered):
            chain_payouts.release(coin, made.psbt)  # the payout was changed since, or its money is gone: this is never sent
            raise
        if not made.raw:
            return
    outcome = chain_payouts.broadcast(coin, payout.psbt, payout.reference or "")
    _conclude(payout, outcome.status, outcome.problem, payout.fee_base, at)


def _store(payout: Payout, made: chain_payouts.Draft, at: datetime) -> None:
    """Store the transaction before it is sent, or before staff sign it."""
    if made.raw:
        values = {"reference": made.txid, "psbt": made.raw, "fee_base": made.fee_base, "next_try_at": at + HOLD, "error": ""}
        _move(payout, Status.SENDING, at, **values)
    else:
        _move(payout, Status.APPROVED, at, psbt=made.psbt, fee_base=made.fee_base, next_try_at=None, error="")


def _draft_on_chain(coin: CoreCoin, payout: Payout, at: datetime) -> chain_payouts.Draft | None:
    """Make a transaction. Returns None when the payout waits for lower fees, or fails because the wallet is empty.

    An empty wallet is no failure while other payouts hold coins back as change.
    """
    others = Payout.objects.filter(network=payout.network, status__in=UNFINISHED).exclude(psbt="").exclude(pk=payout.pk)
    kept = list(others.values_list("psbt", flat=True))
    try:
        return chain_payouts.draft(coin, payout.destination, Base(payout.amount_base), kept, fee_limit_of(payout))
    except chain_payouts.FeeTooHigh as error:
        _wait_for_fees(payout, fee_problem(payout, error.fee_base), at)
        return None
    except chain_payouts.OutOfFunds as error:
        if kept:
            raise
        _move(payout, Status.FAILED, at, error=str(error)[:300], next_try_at=None)
        return None


def _wait_for_fees(payout: Payout, problem: str, at: datetime, **more: Any) -> None:
    """Look again in FEE_WAIT. Staff are told when the payout begins to wait, and not at each try."""
    values: dict[str, Any] = {**more, "error": problem[:300], "next_try_at": at + FEE_WAIT}
    if payout.blocked_by == Payout.BlockedBy.FEE:
        _update(payout, **values)
    else:
        in_transaction(lambda: wait_for_fees(payout, at=at, **values))


def accept_signed(payout_id: UUID, signed: str, *, actor: str, at: datetime) -> Payout:
    """Store the transaction of an approved payout that staff have signed; it is sent next.

    Raises PayoutRefused (NotCovered among them), PayoutMoved, NodeUnavailable, NodeRejected.
    """
    payout = Payout.objects.get(pk=payout_id)
    coin = configured_coin(payout.network)
    if payout.status != Status.APPROVED or not payout.psbt or coin is None:
        raise PayoutRefused(
            _("This payout is not waiting for a signature: its status is “%(status)s”.") % {"status": payout.get_status_display()}
        )
    ready = chain_payouts.signed_by_staff(coin, payout.psbt, signed, payout.destination, Base(payout.amount_base))
    values = {"reference": ready.txid, "psbt": ready.raw, "fee_base": ready.fee_base, "next_try_at": at, "error": ""}
    return in_transaction(lambda: move_payout(payout, Status.SENDING, at=at, actor=actor, **values))


# --- Lightning ----------------------------------------------------------------------------------------------------------------


def _send_over_lightning(payout: Payout, at: datetime) -> None:
    if not settings.LND_PAYOUT_MACAROON:
        raise NodeRejected(_("This worker cannot pay over Lightning: LND_PAYOUT_MACAROON is not set."))
    if payout.status == Status.APPROVED:
        try:
            request = check_request(payout.destination, payout.amount_base, at=at)
        except BadDestination as error:
            _move(payout, Status.FAILED, at, error=str(error)[:300], next_try_at=None)
            return
        lightning_payouts.decode(payout.destination)  # checks its signature, and that LND is reachable with our macaroon
        values = {
            "reference": request.payment_hash,
            "fee_limit_base": fee_limit_of(payout),
            "attempt_before": _attempt_before(request.payment_hash),
            "next_try_at": at + HOLD,
            "error": "",
        }
        try:
            _move(copy(payout), Status.SENDING, at, **values)
        except IntegrityError:
            _move(
                payout,
                Status.FAILED,
                at,
                error=_("This Lightning invoice belongs to another payout: ask for a new one."),
                next_try_at=None,
            )
            return
        payout.refresh_from_db()
        _conclude_lightning(payout, _pay(payout), at)
        return
    outcome = _track(payout)
    _conclude_lightning(payout, _pay(payout) if outcome.status == "absent" else outcome, at)


def _attempt_before(payment_hash: str) -> int:
    """Return LND's number of the failed payment with this hash; 0 if there is none. Raises NodeUnavailable while one may be under way."""
    known = lightning_payouts.track(payment_hash)
    if known.status == "unknown":
        raise NodeUnavailable(known.problem or _("LND is still paying this Lightning invoice."))
    return known.attempt


def _track(payout: Payout) -> lightning_payouts.Outcome:
    """Ask LND what became of the payment. One that had failed before this payout was sent says nothing about it."""
    outcome = lightning_payouts.track(payout.reference or "")
    is_former = outcome.status in ("failed", "no_route") and 0 < outcome.attempt <= payout.attempt_before
    return lightning_payouts.Outcome("absent") if is_former else outcome


def _pay(payout: Payout) -> lightning_payouts.Outcome:
    request = check_request(payout.destination, payout.amount_base, at=None)
    outcome = lightning_payouts.pay(
        payout.destination,
        amount_msat=payout.amount_base,
        asks_amount=request.amount_msat is not None,
        fee_limit_msat=payout.fee_limit_base or fee_limit_of(payout),
    )
    if outcome.status != "refused":
        return outcome
    known = _track(payout)
    return lightning_payouts.Outcome("failed", problem=outcome.problem) if known.status == "absent" else known


def _conclude_lightning(payout: Payout, outcome: lightning_payouts.Outcome, at: datetime) -> None:
    if outcome.status == "no_route":
        _wait_for_fees(payout, no_route_problem(payout), at, status=Status.APPROVED, reference=None)
        return
    _conclude(payout, outcome.status, outcome.problem, outcome.fee_msat, at)


# --- Cards --------------------------------------------------------------------------------------------------------------------


def _refund_card(payout: Payout, at: datetime) -> None:
    get_network(CARD)
    if payout.status == Status.APPROVED:
        _check_card_payment(payout.destination)
        _move(payout, Status.SENDING, at, next_try_at=at + HOLD, error="")
    outcome = refund(payout.destination, payout.amount_base, payout.pk)
    if outcome.status == "sent":
        in_transaction(lambda: mark_sent(payout, outcome.reference, fee_base=0, at=at))
    else:
        _conclude(payout, outcome.status, outcome.problem, None, at)


def _check_sent_refund(payout: Payout, at: datetime) -> None:
    """Ask Stripe about a refund that was sent. A card may refuse it days later; then the money is the merchant's again."""
    made = read_refund(payout.reference or "")
    if made is None or made.status != "failed":
        _update(payout, next_try_at=None)
        return
    words = _(
        "Stripe sent this refund, and the card did not take it (%(reason)s). The money is in your Stripe balance again. Draft another "
        "refund, or send it in another way and record it as sent manually."
    )
    values = {"error": (words % {"reason": made.problem})[:300], "reference": None, "fee_base": None, "sent_at": None}
    _move(payout, Status.FAILED, at, next_try_at=None, **values)


def _check_card_payment(intent_id: str) -> None:
    """Make sure that the shop knows all that was taken out of the payment, above all after a backup was restored.

    Otherwise a refund that the backup does not have would be made again. Raises NodeUnavailable: the follower reads the facts, and then
    the payout's cover is checked with them.
    """
    known = Payment.objects.filter(network=CARD, reference=intent_id).values_list("amount_base", flat=True).first()
    left = read_left(intent_id)
    if known is not None and left is not None and left < known:
        words = {"left": coins(left, CARD), "known": coins(known, CARD), "currency": settings.CURRENCY}
        raise NodeUnavailable(
            _(
                "At Stripe %(left)s %(currency)s are left of this payment, and the shop knows of %(known)s %(currency)s. Use “Ask the node "
                "now” on the invoice if this does not change within minutes."
            )
            % words
        )


# --- How it ended -------------------------------------------------------------------------------------------------------------


def _conclude(payout: Payout, outcome: str, problem: str, fee_base: int | None, at: datetime) -> None:
    """Record how it ended. What is neither sent nor failed for good is unknown, and the node is asked again."""
    if outcome == "sent":
        in_transaction(lambda: mark_sent(payout, payout.reference or "", fee_base=fee_base, at=at))
    elif outcome == "failed":
        _move(payout, Status.FAILED, at, error=problem[:300], next_try_at=None, reference=None, psbt="")
    else:
        later = at + WAITS[min(payout.attempts, len(WAITS)) - 1]
        if payout.status == Status.UNKNOWN:
            _update(payout, next_try_at=later, error=problem[:300])
        else:
            _move(payout, Status.UNKNOWN, at, next_try_at=later, error=problem[:300])


# --- The sandbox --------------------------------------------------------------------------------------------------------------


def _send_in_sandbox(payout: Payout, at: datetime) -> None:
    """Record a payout of play money as sent."""
    txid = hashlib.sha256(f"payout {payout.pk}".encode()).hexdigest()
    in_transaction(lambda: mark_sent(payout, txid, fee_base=0, at=at))
