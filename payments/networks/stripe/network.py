"""Cards through Stripe Checkout: a page of Stripe's charges the card, and the shop asks Stripe for the facts. Amounts are cents."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cryptons.coins import CARD
from cryptons.formats import money
from cryptons.shop_identity import shop_name
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.base import (
    ORDER_LABEL,
    CursorState,
    Destination,
    DestinationRequest,
    Fact,
    FactPage,
    IssuingWallet,
    NodeHealth,
    NodeRecord,
    Standing,
)
from payments.networks.reading import name_of, reading
from payments.networks.stripe.client import Conversation, StripeRefused, open_stripe
from payments.networks.stripe.payments import GIVEN_UP, Session, fact_of, fee_of, is_ours, moment, read_session, records_between, session_of

TURN = timedelta(seconds=20)
CHECKOUT = timedelta(seconds=8)
"""A buyer waits no longer for Stripe."""
HEALTH = timedelta(seconds=1.2)
RECORDS = timedelta(minutes=4)
SHORTEST, LONGEST = timedelta(minutes=31), timedelta(hours=23, minutes=50)
"""For how long Stripe lets a session be open: from 30 minutes to a day. A shorter quote's session is closed by the sweep."""
EVENTS = 25
"""Of one turn; the next turn reads on."""
ENOUGH = TURN / 2
"""With less time than that left, a turn ends after the events that it has read."""
TYPES = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "charge.succeeded",
    "charge.updated",
    "charge.refunded",
    "charge.refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
]
LANGUAGES = ("de", "en")
"""In which the shop's own pages are; Stripe's page follows the browser for others."""


@dataclass
class _Read:
    """What the events of one turn name."""

    facts: list[Fact] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    notices: dict[str, str] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)


class CardNetwork:
    code = CARD

    def open_destination(self, request: DestinationRequest) -> Destination:
        """Return a Checkout Session and the address of its page. Source: Stripe `POST /v1/checkout/sessions`.

        The key is made of the request, so a request that is sent again makes no second session.
        """
        number = request.label.removeprefix(ORDER_LABEL)
        currency = settings.CURRENCY.lower()
        names = {"order": request.label, "shop": settings.PUBLIC_URL, "currency": currency}
        with open_stripe(within=CHECKOUT) as stripe:
            session = stripe.post(
                "/v1/checkout/sessions",
                key=f"{request.label}-{request.amount_base}-{request.expires_at.timestamp():.0f}",
                mode="payment",
                submit_type="pay",
                adaptive_pricing={"enabled": "false"},
                payment_method_types=["card"],
                client_reference_id=request.label,
                metadata=names,
                payment_intent_data={"metadata": names, "description": f"{shop_name()} {number}"},
                line_items=[
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": currency,
                            "unit_amount": request.amount_base,
                            "product_data": {"name": _("Order %(number)s") % {"number": number}},
                        },
                    }
                ],
                success_url=request.return_url,
                cancel_url=request.return_url,
                locale=language if (language := get_language()) in LANGUAGES else "auto",
                expires_at=f"{_session_end(request.expires_at).timestamp():.0f}",
            )
            return Destination(str(session["id"]), payment_request=str(session["url"]))

    def close_destination(self, destination: str) -> None:
        """Expire the session, so that its page charges no card. One that is paid, expired or unknown stays as it is."""
        with open_stripe(within=TURN) as stripe:
            try:
                stripe.post(f"/v1/checkout/sessions/{destination}/expire")
            except StripeRefused:
                return  # it is no longer open; `standing` asks what became of it

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        """Return the payments that the events after the cursor name. Source: Stripe `GET /v1/events`.

        An event only names a payment; the facts are those of the session now. So events may be doubled or out of order.
        """
        read, value = _Read(), cursor.value
        with open_stripe(within=TURN) as stripe:
            sessions: dict[str, Session] = {}
            for event in reversed(_events_after(stripe, cursor.value)):
                if value != cursor.value and stripe.time_left < ENOUGH:
                    break
                value = str(event["id"])
                with reading(name_of(event, "id"), read.unread):
                    session = _session_named(stripe, event["data"]["object"])
                    if session is not None:
                        sessions[session["id"]] = session
                        if is_ours(session):
                            _note(event, read)
            _add_facts(stripe, sessions.values(), read)
        return FactPage(tuple(read.facts), CursorState(value), None, tuple(sorted(read.unread)), read.notices, frozenset(read.returned))

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        return self.standing(destinations).facts

    def standing(self, destinations: Sequence[str]) -> Standing:
        """Source: Stripe `GET /v1/checkout/sessions/…`."""
        read = _Read()
        with open_stripe(within=TURN) as stripe:
            asked = {destination: read_session(stripe, destination) for destination in destinations}
            known = {destination: session for destination, session in asked.items() if session is not None}
            _add_facts(stripe, known.values(), read)
            ended = frozenset(destination for destination, session in known.items() if session["status"] != "open")
        return Standing(tuple(read.facts), ended, frozenset(destinations) - known.keys(), frozenset(read.unread))

    def has_met(self, cursor: CursorState) -> bool:
        """Stripe deletes no session: one that it does not know belongs to another account, which may come back."""
        return False

    def records(self, since: datetime, until: datetime, wallets: Sequence[IssuingWallet] = ()) -> list[NodeRecord]:
        """Source: Stripe `GET /v1/checkout/sessions`. A session may be paid up to a day after it was made."""
        with open_stripe(within=RECORDS) as stripe:
            return list(records_between(stripe, since - timedelta(days=1), since, until))

    def health(self) -> NodeHealth:
        try:
            with open_stripe(within=HEALTH, is_probe=True) as stripe:
                stripe.get("/v1/events", limit=1)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))
        return NodeHealth(problem="")


def _session_end(expires_at: datetime) -> datetime:
    """Return when Stripe ends the session. The same for a request that is sent again, which would otherwise be another one."""
    quote = timedelta(minutes=settings.INVOICE_MINUTES)
    return expires_at - quote + min(max(quote, SHORTEST), LONGEST)


def _events_after(stripe: Conversation, last: str) -> list[dict[str, Any]]:
    """Return the oldest events after the last one, newest first; without one, or if Stripe has forgotten it, the newest."""
    if last:
        try:
            return list(stripe.get("/v1/events", types=TYPES, limit=EVENTS, ending_before=last)["data"])
        except StripeRefused as error:
            if error.code != "resource_missing":
                raise
    return list(stripe.get("/v1/events", types=TYPES, limit=EVENTS)["data"])


def _session_named(stripe: Conversation, thing: dict[str, Any]) -> Session | None:
    """Return the session of what an event is about: a session, a charge, a refund or a dispute."""
    if thing["object"] == "checkout.session":
        return read_session(stripe, thing["id"])
    return session_of(stripe, thing["payment_intent"]) if thing.get("payment_intent") else None


def _add_facts(stripe: Conversation, sessions: Iterable[Session], read: _Read) -> None:
    for session in sessions:
        with reading(session["id"], read.unread):
            fact = fact_of(stripe, session)
            if fact is not None:
                read.facts.append(replace(fact, fee_base=fee_of(stripe, session)))


def _note(event: dict[str, Any], read: _Read) -> None:
    """Write down what staff must do about a dispute or a refund that failed, also if the invoice stays as it is."""
    thing, notices = event["data"]["object"], read.notices
    has_failed = thing["object"] == "refund" and thing["status"] in GIVEN_UP
    if event["type"] != "charge.dispute.created" and not has_failed:
        return
    words = {"payment": thing["payment_intent"] or "", "amount": money(thing["amount"], thing["currency"].upper())}
    if has_failed:
        read.returned.add(str(thing["id"]))
        text = _(
            "A refund of %(amount)s for the payment %(payment)s has failed after it was sent: the card does not take it. The money is "
            "in your Stripe balance again. Ask the buyer for another way."
        )
        notices[f"refund failed {thing['id']}"] = text % words
        return
    until = (thing.get("evidence_details") or {}).get("due_by")
    words |= {"reason": thing["reason"], "time": f"{moment(until):%Y-%m-%d %H:%M}" if until else "–"}
    text = _(
        "The holder of a card disputes %(amount)s of the payment %(payment)s (%(reason)s). Answer in Stripe's dashboard until "
        "%(time)s UTC. While the bank keeps the money, the order is not paid: do not ship it."
    )
    notices[f"dispute {thing['id']}"] = text % words
