"""Store what nodes say; then bring the invoice in line with it. Two steps, each safe to repeat."""

import logging
from collections.abc import Collection, Iterable
from copy import copy
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet, prefetch_related_objects
from django.utils import timezone

from cryptons.db import in_transaction
from cryptons.events.models import record
from cryptons.money import UNITS, base_to_fiat
from payments.alerts import mail_exception
from payments.errors import InvoiceMoved, LateMoneyRefused
from payments.invoices.evaluation import GONE, Received, Terms, Verdict, completes, evaluate, exceptions, standing
from payments.invoices.late_payments import may_accept
from payments.invoices.refundable import promised
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.networks.base import Fact
from payments.signals import accepting_late, invoice_changed

logger = logging.getLogger(__name__)

CHUNK = 500
FACT_FIELDS = ("height", "block_hash", "is_present", "is_conflicted", "is_safe")


def store_facts(network: str, facts: Iterable[Fact]) -> set[UUID]:
    """Write what changed, inside the caller's transaction. Returns the invoices that need a new verdict.

    A fact about a destination that was never ours is left alone; so is one about money that came and went before anybody booked it.
    """
    by_reference = {fact.reference: fact for fact in facts}
    touched: set[UUID] = set()
    references = list(by_reference)
    for start in range(0, len(references), CHUNK):
        touched |= _store_chunk(network, [by_reference[reference] for reference in references[start : start + CHUNK]])
    touch(touched)
    return touched


def touch(invoice_ids: Iterable[UUID]) -> None:
    """Mark that facts came in. The raised version makes a verdict that did not see them lose its race."""
    ids = sorted(invoice_ids)
    for start in range(0, len(ids), CHUNK):
        Invoice.objects.filter(pk__in=ids[start : start + CHUNK]).update(needs_settling=True, version=F("version") + 1)


def _store_chunk(network: str, facts: list[Fact]) -> set[UUID]:
    booked = Payment.objects.filter(network=network, reference__in=[fact.reference for fact in facts])
    known = {payment.reference: payment for payment in booked}
    changes = {known[fact.reference]: fact for fact in facts if fact.reference in known and _is_news(fact, known[fact.reference])}
    news = [fact for fact in facts if fact.reference not in known and fact.is_present]
    named = Option.objects.filter(network=network, destination__in={fact.destination for fact in news}).prefetch_related("invoice")
    options = {option.destination: option for option in named} if news else {}
    created = [_booked(network, fact, options[fact.destination]) for fact in news if fact.destination in options]
    Payment.objects.bulk_create(created)
    _change(changes)
    return {payment.invoice_id for payment in [*created, *changes]}


def _is_news(fact: Fact, payment: Payment) -> bool:
    """A final payment no longer moves."""
    if payment.is_final:
        return False
    return fact.first_seen_at < payment.first_seen_at or any(getattr(payment, name) != getattr(fact, name) for name in FACT_FIELDS)


def _change(changes: dict[Payment, Fact]) -> None:
    """Payments that changed alike, as those of one block do, are written together."""
    prefetch_related_objects(list(changes), "option__invoice")
    alike: dict[tuple[Any, ...], list[UUID]] = {}
    for payment, fact in changes.items():
        first_seen_at = min(fact.first_seen_at, payment.first_seen_at)
        values = (first_seen_at, _settles_at(fact, payment.option), *(getattr(fact, name) for name in FACT_FIELDS))
        alike.setdefault(values, []).append(payment.pk)
    for values, ids in alike.items():
        fields = dict(zip(("first_seen_at", "settles_at_height", *FACT_FIELDS), values, strict=True))
        Payment.objects.filter(pk__in=ids).update(**fields, updated_at=timezone.now())


def _settles_at(fact: Fact, option: Option) -> int | None:
    return None if fact.height is None else fact.height + option.invoice.confirmations_needed - 1


def _booked(network: str, fact: Fact, option: Option) -> Payment:
    return Payment(
        network=network,
        reference=fact.reference,
        option=option,
        invoice_id=option.invoice_id,
        amount_base=fact.amount_base,
        first_seen_at=fact.first_seen_at,
        settles_at_height=_settles_at(fact, option),
        is_final=fact.is_safe,
        **{name: getattr(fact, name) for name in FACT_FIELDS},
    )


def terms_of(invoice: Invoice, payments: Collection[Payment] = ()) -> Terms:
    """Of the payments only those that went back matter here."""
    return Terms(
        price_minor=invoice.price_minor,
        tolerance_percent=invoice.tolerance_percent,
        tolerance_cap_minor=invoice.tolerance_cap_minor,
        expires_at=invoice.expires_at,
        marked=invoice.marked,
        has_settled=invoice.settled_at is not None,
        returned_minor=_returned(invoice, payments),
    )


def _returned(invoice: Invoice, payments: Collection[Payment]) -> Fraction:
    """What goes back after it settled is a refund of what it took, and changes no fact."""
    payouts = promised(invoice.pk).exclude(kind=Payout.Kind.EXCESS)
    if invoice.settled_at is not None:
        payouts = payouts.filter(created_at__lt=invoice.settled_at)
    return _worth(payouts, payments) + _excess_without_cover(invoice, payments)


def _excess_without_cover(invoice: Invoice, payments: Collection[Payment]) -> Fraction:
    """What went back as beyond the price, of money that went afterwards: it is taken from what else came."""
    here = [payment for payment in payments if payment.is_present]
    if len(here) == len(payments):
        return Fraction(0)
    beyond = sum((_value(payment) for payment in here), Fraction(-invoice.price_minor))
    went = _worth(promised(invoice.pk).filter(kind=Payout.Kind.EXCESS), payments)
    return max(Fraction(0), went - max(Fraction(0), beyond))


def _worth(payouts: QuerySet[Payout], payments: Iterable[Payment]) -> Fraction:
    """In the invoice's minor units, at the rate at which money of that coin was credited."""
    rates = {UNITS[payment.network].coin: payment.credited_minor_per_coin for payment in payments}
    if not rates:
        return Fraction(0)
    values = (
        base_to_fiat(amount, minor_per_coin=rates[UNITS[network].coin], network=network)
        for network, amount in payouts.order_by().values_list("network", "amount_base")
        if UNITS[network].coin in rates
    )
    return sum(values, Fraction(0))


def _value(payment: Payment) -> Fraction:
    """In the invoice's minor units."""
    return base_to_fiat(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network)


def received_as(payment: Payment, status: str) -> Received:
    rate = payment.credited_minor_per_coin
    return Received(
        value_minor=_value(payment),
        dust_minor=base_to_fiat(UNITS[payment.network].dust_base, minor_per_coin=rate, network=payment.network),
        first_seen_at=payment.first_seen_at,
        due_by=payment.option.expires_at,
        status=status,
        is_accepted=payment.late == Payment.Late.ACCEPTED,
        is_conflicted=payment.is_conflicted,
        is_mined=payment.height is not None or payment.is_safe,
    )


def settle(invoice_id: UUID, *, at: datetime) -> Verdict:
    """Bring the stored invoice in line with its payments. Safe to repeat; raises InvoiceMoved when another worker was first."""
    invoice = Invoice.objects.get(pk=invoice_id)
    statuses = standings(invoice)
    late = undecided_late(invoice, statuses)
    taken = [payment for payment in late if may_accept(payment, at=at)] if late and not promised(invoice.pk).exists() else []
    if would_complete(taken, invoice, statuses):
        try:
            return in_transaction(lambda: _accept_late(copy(invoice), statuses, late, taken, at=at))
        except LateMoneyRefused as refusal:
            taken = []
            logger.info("late money waits for a decision", extra={"error": str(refusal)})
    verdict = verdict_on(invoice, statuses, at=at)
    moved = {payment: status for payment, status in statuses.items() if payment.status != status}
    if verdict == stored_verdict(invoice) and not moved and not late:
        if invoice.needs_settling:
            Invoice.objects.filter(pk=invoice.pk, version=invoice.version).update(needs_settling=False)
        return verdict

    def write() -> None:
        _decide([payment for payment in late if payment not in taken], Payment.Late.WAITING)
        apply_verdict(copy(invoice), verdict, moved, at=at)

    in_transaction(write)
    return verdict


def standings(invoice: Invoice) -> dict[Payment, str]:
    """Each payment with what its latest facts make of it now: seen, settled or gone."""
    payments = list(Payment.objects.filter(invoice=invoice).prefetch_related("option"))
    tips = dict(Cursor.objects.filter(network__in={p.network for p in payments}).values_list("network", "tip_height")) if payments else {}
    return {
        payment: standing(
            is_present=payment.is_present,
            is_safe=payment.is_safe,
            is_final=payment.is_final,
            height=payment.height,
            tip_height=tips.get(payment.network),
            confirmations_needed=invoice.confirmations_needed,
        )
        for payment in payments
    }


def verdict_on(invoice: Invoice, statuses: dict[Payment, str], *, at: datetime) -> Verdict:
    return evaluate(terms_of(invoice, statuses), [received_as(payment, status) for payment, status in statuses.items()], at=at)


def undecided_late(invoice: Invoice, statuses: dict[Payment, str]) -> list[Payment]:
    """Late money that nobody weighed yet, once there is enough with it; less is not worth a decision."""
    late = [
        payment
        for payment, status in statuses.items()
        if payment.late == Payment.Late.UNDECIDED and status != GONE and received_as(payment, status).is_late
    ]
    return late if not invoice.marked and would_complete(late, invoice, statuses) else []


def would_complete(late: list[Payment], invoice: Invoice, statuses: dict[Payment, str]) -> bool:
    """Whether there is enough if these are taken. Also where there is enough without them: which came first must not matter."""
    received = [received_as(payment, status) for payment, status in statuses.items()]
    return bool(late) and completes(terms_of(invoice, statuses), received, [received_as(payment, statuses[payment]) for payment in late])


def _accept_late(invoice: Invoice, statuses: dict[Payment, str], late: list[Payment], taken: list[Payment], *, at: datetime) -> Verdict:
    """In the caller's transaction; the rest of it waits. Raises LateMoneyRefused when the shop cannot serve any more, InvoiceMoved."""
    accepting_late.send(Invoice, invoice=invoice)
    _decide([payment for payment in late if payment not in taken], Payment.Late.WAITING)
    _decide(taken, Payment.Late.ACCEPTED)
    verdict = verdict_on(invoice, statuses, at=at)
    moved = {payment: status for payment, status in statuses.items() if payment.status != status}
    apply_verdict(invoice, verdict, moved, at=at, data={"acceptedLate": [payment.reference for payment in taken]})
    return verdict


def _decide(late: Iterable[Payment], decision: Payment.Late) -> None:
    for payment in late:
        Payment.objects.filter(pk=payment.pk).update(late=decision)
        payment.late = decision


def stored_verdict(invoice: Invoice) -> Verdict:
    return Verdict(invoice.status, invoice.flags, invoice.paid_seen_minor, invoice.paid_safe_minor, invoice.is_mined)


def apply_verdict(
    invoice: Invoice,
    verdict: Verdict,
    moved: dict[Payment, str],
    *,
    at: datetime,
    actor: str = "",
    data: dict[str, Any] | None = None,
    decided: frozenset[str] = frozenset(),
) -> None:
    """Write verdict, payment statuses, event and everything that follows from them, in the caller's one transaction.

    `decided`: exceptions about which the person who acts decides by that. Raises InvoiceMoved when the invoice's version is no longer the
    one that was read; the caller's transaction then undoes all of it.
    """
    was = invoice.status
    kinds = exceptions(verdict)
    is_news = (kinds, verdict.status, verdict.paid_seen_minor) != (invoice.exceptions, was, invoice.paid_seen_minor)
    needs_decision = bool(kinds - decided) and (is_news or invoice.needs_decision)
    is_new_to_staff = needs_decision and (kinds != invoice.exceptions or not invoice.needs_decision)
    values: dict[str, Any] = {
        "status": verdict.status,
        "flags": verdict.flags,
        "paid_seen_minor": verdict.paid_seen_minor,
        "paid_safe_minor": verdict.paid_safe_minor,
        "is_mined": verdict.is_mined,
        "marked": invoice.marked,
        "exceptions": kinds,
        "needs_decision": needs_decision,
        "exception_at": (invoice.exception_at if invoice.needs_decision else at) if needs_decision else None,
        "expires_at": invoice.expires_at,
        "monitor_until": invoice.monitor_until,
        "settled_at": invoice.settled_at or (at if verdict.status == Invoice.Status.SETTLED else None),
        "needs_settling": False,
        "version": invoice.version + 1,
    }
    if not Invoice.objects.filter(pk=invoice.pk, version=invoice.version).update(**values):
        raise InvoiceMoved(f"Invoice {invoice.pk} was changed meanwhile.")
    for name, value in values.items():
        setattr(invoice, name, value)
    for payment, status in moved.items():
        Payment.objects.filter(pk=payment.pk).update(status=status)
        payment.status = status
    record(
        f"invoice.{verdict.status}" if verdict.status != was else "invoice.updated",
        invoice.pk,
        seq=invoice.version,
        actor=actor,
        data={
            "status": verdict.status,
            "flags": sorted(verdict.flags),
            "paidSeenMinor": verdict.paid_seen_minor,
            "paidSafeMinor": verdict.paid_safe_minor,
            "exceptions": sorted(kinds) if needs_decision else [],
            "payments": [
                {"network": payment.network, "reference": payment.reference, "amount": payment.amount_text, "status": status}
                for payment, status in moved.items()
            ],
            **(data or {}),
        },
    )
    if is_new_to_staff:
        mail_exception(invoice)
    invoice_changed.send(Invoice, invoice=invoice, verdict=verdict, at=at)
