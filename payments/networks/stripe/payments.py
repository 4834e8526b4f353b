"""Read what Stripe knows of card payments: Checkout Sessions with their PaymentIntent, its charge, refunds and disputes.

A payment is worth what of its charge was neither taken back by the bank nor refunded outside the shop. The shop's own refunds are payouts,
which are counted apart; they carry the payout's id. A refund of a payout that the shop does not have, because a backup was restored, counts
as one from outside.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from cryptons.money import Base
from payments.errors import NodeRejected
from payments.models import Payout
from payments.networks.base import ORDER_LABEL, Fact, NodeRecord
from payments.networks.stripe.client import Conversation, StripeRefused

EXPANDED = ["payment_intent.latest_charge.refunds"]
EXPANDED_IN_LIST = ["data.payment_intent.latest_charge.refunds"]
GIVEN_UP = ("failed", "canceled")
"""Refunds that sent nothing."""
TAKEN_BACK = ("needs_response", "under_review", "lost")
"""Disputes for which the bank has taken the money; inquiries (`warning_…`) take none."""

Session = dict[str, Any]


def read_session(stripe: Conversation, session_id: str) -> Session | None:
    """Return the session with its payment; None if the account has no such session."""
    try:
        return stripe.get(f"/v1/checkout/sessions/{session_id}", expand=EXPANDED)
    except StripeRefused as error:
        if error.code == "resource_missing":
            return None
        raise


def session_of(stripe: Conversation, intent_id: str) -> Session | None:
    """Return the session of a PaymentIntent; None for one that no session made."""
    found = stripe.get("/v1/checkout/sessions", payment_intent=intent_id, limit=1, expand=EXPANDED_IN_LIST)
    return next(iter(found["data"]), None)


def fact_of(stripe: Conversation, session: Session) -> Fact | None:
    """Return the fact of a session; None while nothing was paid. Raises ValueError for another currency than the one asked for."""
    charge = _charge(session)
    if charge is None:
        return None
    left = _left(stripe, session, charge)
    return Fact(
        reference=session["payment_intent"]["id"],
        destination=session["id"],
        amount_base=Base(left),
        first_seen_at=moment(charge["created"]),
        is_present=left > 0,
        is_safe=left > 0,
        label=_label(session),
        is_reversible=True,
        fee_base=None,
    )


def fee_of(stripe: Conversation, session: Session) -> int | None:
    """Return what Stripe took for the payment and its disputes, in cents of the charge; None while Stripe has not booked it.

    Stripe takes it in the currency of the account: it is converted as Stripe converted the charge. Also None with a key that may not read
    balance transactions. Raises NodeUnavailable.
    """
    charge = _charge(session)
    if charge is None or not charge["balance_transaction"]:
        return None
    try:
        booked = stripe.get(f"/v1/balance_transactions/{charge['balance_transaction']}")
    except NodeRejected:
        return None
    disputes = disputes_of(stripe, session) if charge["disputed"] else []
    fee = booked["fee"] + sum(entry["fee"] for dispute in disputes for entry in dispute["balance_transactions"])
    if booked["currency"] == charge["currency"]:
        return int(fee)
    return int((Decimal(fee) * charge["amount"] / booked["amount"]).to_integral_value(ROUND_HALF_UP))


def records_between(stripe: Conversation, sessions_since: datetime, since: datetime, until: datetime) -> Iterator[NodeRecord]:
    """Yield the card payments charged from `since` on and before `until`, for sessions made from `sessions_since` on."""
    created = {"gte": int(sessions_since.timestamp()), "lt": int(until.timestamp()) + 1}
    for session in stripe.pages("/v1/checkout/sessions", created=created, status="complete", expand=EXPANDED_IN_LIST):
        fact = fact_of(stripe, session) if is_ours(session) else None
        if fact is not None and fact.is_present and since <= fact.first_seen_at < until:
            yield NodeRecord(fact.reference, fact.destination, fact.amount_base, fact.first_seen_at, is_confirmed=True, label=fact.label)


def disputes_of(stripe: Conversation, session: Session) -> list[dict[str, Any]]:
    return list(stripe.get("/v1/disputes", payment_intent=session["payment_intent"]["id"], limit=100)["data"])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _charge(session: Session) -> dict[str, Any] | None:
    """Return the charge that succeeded; None while there is none."""
    intent = session["payment_intent"]
    if not isinstance(intent, dict) or intent["status"] != "succeeded":
        return None
    charge: dict[str, Any] = intent["latest_charge"]
    if not charge["captured"] or charge["status"] != "succeeded":
        return None
    asked = _asked_currency(session)
    if charge["currency"] != asked:
        raise ValueError(f"{intent['id']} was paid in {charge['currency']}, and {asked} was asked for.")
    return charge


def _asked_currency(session: Session) -> str:
    """Return the currency of the request: with Stripe's Adaptive Pricing, that of the session becomes the one in which the buyer pays."""
    return str((session["metadata"] or {}).get("currency") or session["currency"])


def _left(stripe: Conversation, session: Session, charge: dict[str, Any]) -> int:
    """Return what is left of the charge, in cents."""
    refunds = charge["refunds"]["data"]
    if charge["refunds"]["has_more"]:  # a charge names its newest ones alone
        refunds = stripe.pages("/v1/refunds", payment_intent=session["payment_intent"]["id"])
    made = [(_payout_of(refund), refund["amount"]) for refund in refunds if refund["status"] not in GIVEN_UP]
    ours = _our_payouts(payout_id for payout_id, _ in made if payout_id)
    elsewhere: int = sum(amount for payout_id, amount in made if payout_id not in ours)
    disputes = disputes_of(stripe, session) if charge["disputed"] else []
    taken: int = sum(dispute["amount"] for dispute in disputes if dispute["status"] in TAKEN_BACK)
    return max(0, int(charge["amount_captured"]) - elsewhere - taken)


def _payout_of(refund: dict[str, Any]) -> UUID | None:
    """Return the payout that made the refund; None for one made in Stripe's dashboard."""
    try:
        return UUID(str((refund["metadata"] or {}).get("payout")))
    except ValueError:
        return None


def _our_payouts(ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the payouts that the shop has and counts. It stores a payout before it asks Stripe for the refund."""
    counted = Payout.objects.exclude(status__in=(Payout.Status.FAILED, Payout.Status.WITHDRAWN))
    return set(counted.filter(pk__in=[*ids]).values_list("pk", flat=True))


def is_ours(session: Session) -> bool:
    """Tell whether this shop made the session: an account may serve several."""
    return bool((session["metadata"] or {}).get("shop") == settings.PUBLIC_URL)


def _label(session: Session) -> str:
    """Return the label of the invoice; empty for a session of another shop."""
    label = str(session["client_reference_id"] or "")
    return label if is_ours(session) and label.startswith(ORDER_LABEL) else ""
