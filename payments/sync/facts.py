"""Store what nodes say about payments. Nothing is decided here: payments.invoices.settlement weighs the facts afterwards."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, prefetch_related_objects
from django.utils import timezone

from cryptons.chunks import chunks
from cryptons.db import in_transaction
from payments.confirmations import settles_at_height
from payments.models import Cursor, Invoice, Option, Payment
from payments.networks.base import Fact

MOST_SLOW = 1000
"""Payments of one network that become slow in one sweep; the next sweep takes the rest."""

FACT_FIELDS = ("amount_base", "height", "block_hash", "is_present", "is_conflicted", "is_safe", "fee_base")


def store_facts(network: str, facts: Iterable[Fact]) -> set[UUID]:
    """Write what changed, inside the caller's transaction. Returns the invoices that need a new verdict.

    Facts about destinations that were never ours are ignored, and so are payments that came and went before they were booked.
    """
    by_reference = {fact.reference: fact for fact in facts}
    changed: set[UUID] = set()
    for chunk in chunks(by_reference.values()):
        changed |= _store_chunk(network, chunk)
    mark_dirty(changed)
    return changed


def mark_dirty(invoice_ids: Iterable[UUID]) -> None:
    """Record that facts came in. The raised version makes a verdict that did not see these facts lose its race."""
    for ids in chunks(sorted(invoice_ids)):
        Invoice.objects.filter(pk__in=ids).update(needs_settling=True, version=F("version") + 1)


def _store_chunk(network: str, facts: list[Fact]) -> set[UUID]:
    booked = Payment.objects.filter(network=network, reference__in=[fact.reference for fact in facts])
    known = {payment.reference: payment for payment in booked}
    changes = {known[fact.reference]: fact for fact in facts if fact.reference in known and _is_news(fact, known[fact.reference])}
    news = [fact for fact in facts if fact.reference not in known and fact.is_present]
    named = Option.objects.filter(network=network, destination__in={fact.destination for fact in news}).prefetch_related("invoice")
    options = {option.destination: option for option in named} if news else {}
    created = [_new_payment(network, fact, options[fact.destination]) for fact in news if fact.destination in options]
    Payment.objects.bulk_create(created)
    _update(changes)
    return {payment.invoice_id for payment in [*created, *changes]}


def _is_news(fact: Fact, payment: Payment) -> bool:
    """Tell whether the fact changes the payment. A final payment no longer changes."""
    if payment.is_final:
        return False
    return fact.first_seen_at < payment.first_seen_at or any(
        getattr(payment, name) != _new_value(fact, payment, name) for name in FACT_FIELDS
    )


def _new_value(fact: Fact, payment: Payment, name: str) -> Any:
    """Return what the fact makes of this field. A payment that is gone stays double spent: the node may say so only once, when asked.

    The amount stays as it was booked, except where a part of it can be taken back.
    """
    if name == "amount_base" and not (fact.is_reversible and fact.is_present):
        return payment.amount_base
    if name == "fee_base" and fact.fee_base is None:
        return payment.fee_base
    if name == "is_conflicted" and payment.is_conflicted and not fact.is_present:
        return True
    return getattr(fact, name)


def _update(changes: dict[Payment, Fact]) -> None:
    """Write payments that changed alike, such as those of one block, with one query."""
    prefetch_related_objects(list(changes), "option__invoice")
    alike: dict[tuple[Any, ...], list[UUID]] = {}
    for payment, fact in changes.items():
        first_seen_at = min(fact.first_seen_at, payment.first_seen_at)
        held_until = None if is_confirmed(fact) else payment.held_until
        facts = (_new_value(fact, payment, name) for name in FACT_FIELDS)
        values = (first_seen_at, held_until, _settles_at(fact, payment.option), *facts)
        alike.setdefault(values, []).append(payment.pk)
    for values, ids in alike.items():
        fields = dict(zip(("first_seen_at", "held_until", "settles_at_height", *FACT_FIELDS), values, strict=True))
        Payment.objects.filter(pk__in=ids).update(**fields, updated_at=timezone.now())


def is_confirmed(fact: Fact) -> bool:
    """Tell whether the payment is in a block, or on a network that needs none."""
    return fact.height is not None or fact.is_safe


def _held_until(first_seen_at: datetime, option: Option) -> datetime:
    """Return how long the payment holds rate and stock without being in a block: UNCONFIRMED_HOLD_MINUTES, but as long as its quote."""
    return max(first_seen_at + timedelta(minutes=settings.UNCONFIRMED_HOLD_MINUTES), option.expires_at)


def mark_slow() -> set[UUID]:
    """Mark the payments whose hold has ended, in a transaction of its own. Returns their invoices, which need a new verdict.

    Only payments that their node still called unconfirmed after that: an outage makes no payment slow.
    """

    def mark() -> set[UUID]:
        slow: dict[UUID, UUID] = {}
        for network, answered_at in Cursor.objects.filter(answered_at__isnull=False).values_list("network", "answered_at"):
            held = Payment.objects.filter(network=network, is_present=True, held_until__lte=answered_at)
            slow |= dict(held.order_by("held_until").values_list("pk", "invoice_id")[:MOST_SLOW])
        for ids in chunks(sorted(slow)):
            Payment.objects.filter(pk__in=ids, is_present=True, held_until__isnull=False).update(is_slow=True, held_until=None)
        mark_dirty(slow.values())
        return set(slow.values())

    return in_transaction(mark)


def _settles_at(fact: Fact, option: Option) -> int | None:
    return settles_at_height(fact.height, option.invoice.confirmations_needed)


def _new_payment(network: str, fact: Fact, option: Option) -> Payment:
    first_seen_at = min(fact.first_seen_at, timezone.now())  # the node's clock may be fast, and must not make the buyer late
    return Payment(
        network=network,
        reference=fact.reference,
        option=option,
        invoice_id=option.invoice_id,
        first_seen_at=first_seen_at,
        held_until=None if is_confirmed(fact) else _held_until(first_seen_at, option),
        settles_at_height=_settles_at(fact, option),
        is_final=fact.is_safe and not fact.is_reversible,
        **{name: getattr(fact, name) for name in FACT_FIELDS},
    )
