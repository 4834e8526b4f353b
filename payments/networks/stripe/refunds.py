"""Refund card payments. Each payout is one refund at Stripe, which carries the payout's id: so it is made once in effect."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from payments.errors import NodeUnavailable
from payments.networks.stripe.client import Conversation, StripeRefused, open_stripe
from payments.networks.stripe.payments import GIVEN_UP, fact_of, session_of

WITHIN = timedelta(seconds=60)
"""Less than other workers leave the payout alone."""


@dataclass(frozen=True)
class Outcome:
    status: str
    """`sent`, `failed` or `unknown`."""
    reference: str = ""
    problem: str = ""
    amount: int = 0
    """In cents, if it was sent or may be."""


def refund(intent_id: str, amount: int, payout_id: UUID) -> Outcome:
    """Refund so many cents, unless this payout was refunded before. Raises NodeUnavailable and NodeRejected if nothing was sent.

    Stripe forgets a key after a day, so it is asked first for a refund with the payout's id.
    """
    with open_stripe(within=WITHIN) as stripe:
        made = find_refund(stripe, intent_id, payout_id)
        if made is None:
            try:
                made = stripe.post(
                    "/v1/refunds", key=str(payout_id), payment_intent=intent_id, amount=amount, metadata={"payout": str(payout_id)}
                )
            except StripeRefused as error:
                return Outcome("failed", problem=str(error))
            except NodeUnavailable as error:
                return Outcome("unknown", problem=str(error))
        return _outcome(made)


def read_left(intent_id: str) -> int | None:
    """Ask Stripe what is left of a payment, in cents, as a fact counts it; None if Stripe has no such payment.

    Raises NodeUnavailable, NodeRejected.
    """
    with open_stripe(within=WITHIN) as stripe:
        session = session_of(stripe, intent_id)
        fact = fact_of(stripe, session) if session is not None else None
        return None if fact is None else fact.amount_base


def find_refund(stripe: Conversation, intent_id: str, payout_id: UUID) -> dict[str, Any] | None:
    refunds = stripe.pages("/v1/refunds", payment_intent=intent_id)
    return next((refund for refund in refunds if (refund["metadata"] or {}).get("payout") == str(payout_id)), None)


def read_refund(refund_id: str) -> Outcome | None:
    """Ask Stripe for the present state of a refund; None if the account has no such refund. Raises NodeUnavailable, NodeRejected."""
    with open_stripe(within=WITHIN) as stripe:
        try:
            return _outcome(stripe.get(f"/v1/refunds/{refund_id}"))
        except StripeRefused as error:
            if error.code == "resource_missing":
                return None
            raise


def _outcome(refund: dict[str, Any]) -> Outcome:
    if refund["status"] in GIVEN_UP:
        return Outcome("failed", problem=str(refund.get("failure_reason") or refund["status"]))
    return Outcome("sent" if refund["status"] == "succeeded" else "unknown", reference=str(refund["id"]), amount=int(refund["amount"]))
