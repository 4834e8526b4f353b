"""Money that goes back to a buyer, until it is sent: drafted, told where to, agreed on, withdrawn.

What is decided by is read inside the transaction and guarded by a compare-and-set: of the invoice, so that two drafts never promise the
same money; of the payout; and of one row that counts approvals, so that two of them never share what the day's limit leaves.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Sum

from cryptons.coins import LIGHTNING
from cryptons.db import in_transaction, new_id
from cryptons.events.models import Event, record
from cryptons.money import UNITS, Base, base_to_fiat, decimal_to_minor, format_coin, format_fiat, round_half_up
from payments.alerts import mail_payout_trouble
from payments.confirmations import missing_confirmations
from payments.errors import InvoiceMoved, PayoutMoved, PayoutRefused
from payments.invoices.manual_review import follow_payout
from payments.invoices.refundable import STILL_PAYABLE, most_of_kind, promised, refundable
from payments.jobs import jobs
from payments.models import Cursor, Invoice, Option, Payout
from payments.rates.current import is_fresh, latest_rate
from payments.subject import subject

BUYER = "buyer"
APPROVALS = "payouts"
DAY = timedelta(hours=24)
UNFINISHED = (Payout.Status.APPROVED, Payout.Status.SENDING, Payout.Status.UNKNOWN)
ON_ITS_WAY = (*UNFINISHED, Payout.Status.SENT)


def draft_payout(
    invoice_id: UUID,
    *,
    kind: str,
    network: str,
    amount_base: int | None = None,
    destination: str = "",
    actor: str,
    reason: str = "",
    at: datetime,
    payout_id: UUID | None = None,
) -> Payout:
    """Promise a buyer money back. Without an amount: all that this kind allows.

    `destination` was checked by payments.payouts.destinations. Raises PayoutRefused, Invoice.DoesNotExist, InvoiceMoved.
    """

    def draft() -> Payout:
        invoice = Invoice.objects.get(pk=invoice_id)
        if invoice.status in STILL_PAYABLE:
            raise PayoutRefused(f"{invoice.label} can still be paid, and what came counts for it. Close it as invalid first.")
        amount = _amount(invoice, kind, network, amount_base)
        option = Option.objects.filter(invoice=invoice).latest("created_at")
        worth = _worth(amount, network, invoice.currency, (option.minor_per_coin, option.rate_sources), at=at)
        if not Invoice.objects.filter(pk=invoice.pk, version=invoice.version).update(version=F("version") + 1):
            raise InvoiceMoved(f"Invoice {invoice.pk} was changed meanwhile.")
        payout = Payout.objects.create(
            pk=payout_id or new_id(),
            invoice=invoice,
            kind=kind,
            network=network,
            destination=destination,
            amount_base=amount,
            currency=invoice.currency,
            **worth,
            reason=reason,
            created_by=actor,
            created_at=at,
        )
        _tell(payout, "payout.draft", actor=actor, reason=reason, at=at)
        return payout

    return _first_or_again(draft)


def _amount(invoice: Invoice, kind: str, network: str, wanted: int | None) -> Base:
    most = most_of_kind(invoice, kind).get(network)
    if most is None:
        raise PayoutRefused(f"There is no settled {UNITS[network].coin} of {invoice.label} that could go back.")
    amount = most if wanted is None else Base(wanted)
    dust = UNITS[network].dust_base
    if not dust < amount <= most:
        least, coin = format_coin(dust + 1, network), UNITS[network].coin
        raise PayoutRefused(f"Between {least} and {format_coin(most, network)} {coin} of {invoice.label} can go back.")
    if network == LIGHTNING and amount % 1000:
        raise PayoutRefused("Over Lightning only whole satoshis go back.")
    return amount


def _worth(amount: int, network: str, currency: str, known: tuple[Decimal, dict[str, Any]], *, at: datetime) -> dict[str, Any]:
    """At the rate of now. Without a fresh one at the last that there was, or at the known one, if that is more: it bounds what may go."""
    rate, sources = known
    latest = latest_rate(network, at=at) if currency == settings.CURRENCY else None
    if latest and (is_fresh(latest.quoted_at, at) or latest.minor_per_coin > rate):
        rate, sources = latest.minor_per_coin, latest.sources
    value = round_half_up(base_to_fiat(amount, minor_per_coin=rate, network=network))
    return {"value_minor": value, "minor_per_coin": rate, "rate_sources": sources}


def weigh(payout: Payout, *, at: datetime) -> dict[str, Any]:
    """Give it its worth of now, which is returned, too. Writes nothing."""
    worth = _worth(payout.amount_base, payout.network, payout.currency, (payout.minor_per_coin, payout.rate_sources), at=at)
    for name, value in worth.items():
        setattr(payout, name, value)
    return worth


def set_destination(payout_id: UUID, destination: str, *, network: str | None = None, actor: str, at: datetime) -> Payout:
    """Where it goes to, as payments.payouts.destinations checked it; until it is approved. Raises PayoutRefused, PayoutMoved."""

    def change() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status != Payout.Status.DRAFT or payout.approved_by:
            raise PayoutRefused("This payout was approved already: where it goes to can no longer be changed.")
        amount = payout.amount_base
        if network and network != payout.network:
            if UNITS[network].coin != UNITS[payout.network].coin:
                raise PayoutRefused(f"{UNITS[payout.network].coin} goes back as {UNITS[payout.network].coin}.")
            amount = amount * UNITS[network].base_per_coin // UNITS[payout.network].base_per_coin
            if network == LIGHTNING:
                amount -= amount % 1000
            if amount <= UNITS[network].dust_base:
                raise PayoutRefused(f"This is too little for a payment over {UNITS[network].name}.")
        values: dict[str, Any] = {"destination": destination, "network": network or payout.network, "amount_base": amount}
        return _write(payout, "payout.destination", actor=actor, at=at, **values)

    return _first_or_again(change)


def required_approvals(payout: Payout) -> int:
    """What else of its invoice is on its way counts with it: two halves are no way past the second person."""
    others = promised(payout.invoice_id).filter(status__in=ON_ITS_WAY).exclude(pk=payout.pk)
    worth = payout.value_minor + sum(others.values_list("value_minor", flat=True))
    return 2 if worth > decimal_to_minor(settings.PAYOUT_SECOND_PERSON_ABOVE, payout.currency) else 1


def approve_payout(payout_id: UUID, *, actor: str, at: datetime, seen_version: int | None = None) -> Payout:
    """A member of staff agrees. Above PAYOUT_SECOND_PERSON_ABOVE two have to; who drafted it is one of them, the buyer is none.

    What counts is its worth now, whatever it was when it was drafted. `seen_version` is the payout as the person saw it.
    Raises PayoutRefused, PayoutMoved.
    """

    def approve() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status != Payout.Status.DRAFT:
            raise PayoutRefused(f"This payout is {payout.status}: it cannot be approved.")
        if seen_version not in (None, payout.version):
            raise PayoutRefused("This payout was changed since you looked at it. Please look at where it goes to again.")
        if not payout.destination:
            raise PayoutRefused("Nobody said yet where this money goes to.")
        if not _is_covered(payout):
            raise PayoutRefused("The money that this payout would send back is no longer there: withdraw it.")
        if missing := missing_confirmations(payout.invoice):
            raise PayoutRefused(f"What came is too much to go back yet: it needs {missing} more confirmations. Approve this later.")
        _one_at_a_time()
        worth = weigh(payout, at=at)
        before = {_author(payout), payout.approved_by} - {BUYER, ""}
        people = before | {actor}
        name = "confirmed_by" if payout.approved_by not in ("", actor) else "approved_by"
        if len(people) < required_approvals(payout):
            if actor in before:
                now = f"{format_fiat(payout.value_minor, payout.currency)} {payout.currency}"
                raise PayoutRefused(f"A second person has to agree to what is worth so much: it is {now} now.")
            return _write(payout, "payout.agreed", actor=actor, at=at, **{name: actor}, **worth)
        _within_limits(payout, at=at)
        values: dict[str, Any] = {**worth, name: actor, "status": Payout.Status.APPROVED, "approved_at": at, "next_try_at": at}
        return _write(payout, "payout.approved", actor=actor, at=at, **values)

    return _first_or_again(approve)


def _author(payout: Payout) -> str:
    """Who drafted it; or who of staff said later where to: nobody agrees to an address by what they did before it was there."""
    told = Event.objects.filter(subject_id=payout.pk, type="payout.destination").order_by("-seq").first()
    return told.actor if told and told.actor != BUYER else payout.created_by


def _is_covered(payout: Payout) -> bool:
    """Whether what came is still there, and was not promised to another payout."""
    return refundable(payout.invoice_id, beside=payout).get(payout.network, 0) >= payout.amount_base


def _one_at_a_time() -> None:
    """What is read after this holds until the transaction ends: of two approvals at once, one has to look again. Raises PayoutMoved."""
    counter, _ = Cursor.objects.get_or_create(network=APPROVALS)
    if not Cursor.objects.filter(network=APPROVALS, value=counter.value).update(value=str(int(counter.value or 0) + 1)):
        raise PayoutMoved("Another payout was approved at the same moment.")


def _within_limits(payout: Payout, *, at: datetime) -> None:
    most, daily = (decimal_to_minor(limit, payout.currency) for limit in (settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT))
    if payout.value_minor > most:
        raise PayoutRefused(f"One payout may be worth {format_fiat(most, payout.currency)} {payout.currency} at most (PAYOUT_LIMIT).")
    today = Payout.objects.filter(status__in=ON_ITS_WAY, approved_at__gt=at - DAY)
    if (today.aggregate(sum=Sum("value_minor"))["sum"] or 0) + payout.value_minor > daily:
        raise PayoutRefused(
            f"With this one, the payouts of 24 hours would be worth more than {format_fiat(daily, payout.currency)} {payout.currency} "
            "(PAYOUT_DAILY_LIMIT). Approve it tomorrow."
        )


def withdraw_payout(payout_id: UUID, *, actor: str, reason: str, at: datetime) -> Payout:
    """Take the promise back, while nothing was handed to a node. Raises PayoutRefused, PayoutMoved."""

    def withdraw() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status not in (Payout.Status.DRAFT, Payout.Status.APPROVED):
            raise PayoutRefused(f"This payout is {payout.status}: it cannot be withdrawn.")
        return _write(
            payout, "payout.withdrawn", actor=actor, reason=reason, at=at, status=Payout.Status.WITHDRAWN, next_try_at=None, psbt=""
        )

    return _first_or_again(withdraw)


def try_again(payout_id: UUID, *, actor: str, at: datetime) -> Payout:
    """Somebody does not want to wait for the next try. Raises PayoutRefused, PayoutMoved."""

    def hurry() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status not in UNFINISHED:
            raise PayoutRefused(f"This payout is {payout.status}: there is nothing to try again.")
        return _write(payout, "payout.try_again", actor=actor, at=at, next_try_at=at)

    return _first_or_again(hurry)


def record_sent_by_hand(payout_id: UUID, reference: str, *, actor: str, reason: str, at: datetime) -> Payout:
    """A member of staff sent it from a wallet of their own. Raises PayoutRefused, PayoutMoved; IntegrityError for a known reference."""

    def note() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status not in (Payout.Status.APPROVED, Payout.Status.FAILED):
            raise PayoutRefused(f"This payout is {payout.status}: only one that is approved, or that failed, is sent by hand.")
        if payout.status == Payout.Status.FAILED:
            invoice = payout.invoice  # read before what is left of it
            if not _is_covered(payout):
                raise PayoutRefused("This money was promised again since: withdraw that payout first.")
            if not Invoice.objects.filter(pk=invoice.pk, version=invoice.version).update(version=F("version") + 1):
                raise InvoiceMoved(f"Invoice {invoice.pk} was changed meanwhile.")
        return _sent(payout, reference, actor=actor, reason=reason, at=at)

    return _first_or_again(note)


def mark_sent(payout: Payout, reference: str, *, fee_base: int | None, at: datetime) -> Payout:
    """The node says that it went out. In the caller's transaction."""
    return _sent(payout, reference, at=at, fee_base=fee_base)


def _sent(payout: Payout, reference: str, *, at: datetime, actor: str = "", reason: str = "", **values: Any) -> Payout:
    values |= {"status": Payout.Status.SENT, "reference": reference, "sent_at": at, "next_try_at": None, "error": ""}
    return _write(payout, "payout.sent", actor=actor, reason=reason, at=at, **values)


def move_payout(payout: Payout, status: str, *, at: datetime, **values: Any) -> Payout:
    """What sending makes of it: `sending`, `failed`, `unknown`. In the caller's transaction. Raises PayoutMoved."""
    event = f"payout.{status}" if status != payout.status else "payout.updated"
    moved = _write(payout, event, at=at, status=status, **values)
    mail_payout_trouble(moved)
    return moved


def _write(payout: Payout, event: str, *, at: datetime, actor: str = "", reason: str = "", **values: Any) -> Payout:
    values |= {"version": payout.version + 1}
    if not Payout.objects.filter(pk=payout.pk, version=payout.version).update(**values):
        raise PayoutMoved("Somebody else changed this payout at the same moment. Please look at it again.")
    for name, value in values.items():
        setattr(payout, name, value)
    _tell(payout, event, actor=actor, reason=reason, at=at)
    return payout


def _tell(payout: Payout, event: str, *, actor: str, reason: str, at: datetime) -> None:
    data = {
        "status": str(payout.status),
        "network": payout.network,
        "amount": payout.amount_text,
        "destination": payout.destination,
        "reference": payout.reference,
        **({"reason": reason} if reason else {}),
        **({"error": payout.error} if payout.error else {}),
    }
    record(event, payout.pk, seq=payout.version, actor=actor, data=data)
    follow_payout(payout, at=at)
    subject().on_payout(payout, at=at)
    if payout.next_try_at is not None and payout.next_try_at <= at:
        jobs().send_payout(payout.pk)


def _first_or_again(act: Callable[[], Payout]) -> Payout:
    """In one transaction; who loses a race looks again."""
    for _ in range(3):
        try:
            return in_transaction(act)
        except (InvoiceMoved, PayoutMoved):
            continue
    raise PayoutMoved("Somebody else changed this at the same moment. Please look at it again.")
