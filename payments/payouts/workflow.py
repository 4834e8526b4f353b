"""The steps of a payout until it is sent: draft, set the destination, approve, withdraw.

Each step reads what it decides by inside its transaction, and guards it by a compare-and-set: of the invoice, so that two drafts never
promise the same money; of the payout; and of one row that counts approvals, so that two approvals never share what the day's limit leaves.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.coins import CARD, LIGHTNING
from cryptons.db import in_transaction, new_id, retry_when, update_if_unchanged
from cryptons.events.models import record
from cryptons.formats import coins, money
from cryptons.money import UNITS, Base, base_to_fiat, format_coin, limit_to_minor, round_half_up
from payments.alerts import mail_payout_trouble, mail_payout_waits
from payments.confirmations import missing_confirmations
from payments.errors import InvoiceMoved, NotCovered, PayoutMoved, PayoutRefused
from payments.invoices.manual_review import follow_payout
from payments.invoices.refundable import NOT_SENT_YET, NOTHING_WENT, STILL_PAYABLE, most_of_kind, promised
from payments.jobs import jobs
from payments.models import Cursor, Invoice, Option, Payout
from payments.payouts.cover import card_payment, confirm_cover, kind_problem, most_of_one_payout
from payments.payouts.people import BUYER, account_of, needs_another_person
from payments.rates.current import is_fresh, latest_rate
from payments.subject import subject

APPROVALS = "payouts"
DAY = timedelta(hours=24)
UNFINISHED = (Payout.Status.APPROVED, Payout.Status.SENDING, Payout.Status.UNKNOWN)
ON_ITS_WAY = (*UNFINISHED, Payout.Status.SENT)
UNBLOCKED = {"blocked_by": "", "error": ""}


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
    """Draft a payout to a buyer. Without an amount it is the most that one payout of this kind can be.

    `destination` was checked by payments.payouts.destinations. Raises PayoutRefused, Invoice.DoesNotExist, InvoiceMoved.
    """

    def draft() -> Payout:
        invoice = Invoice.objects.get(pk=invoice_id)
        if invoice.status in STILL_PAYABLE:
            raise PayoutRefused(
                _("%(invoice)s can still be paid, and what was received counts towards it. Close it as invalid first.")
                % {"invoice": invoice.order_number}
            )
        if problem := kind_problem(invoice, kind):
            raise PayoutRefused(problem)
        amount = _amount(invoice, kind, network, amount_base)
        goes_to = card_payment(invoice.pk, amount, destination) if network == CARD else destination
        option = Option.objects.filter(invoice=invoice).latest("created_at")
        value = _value_of(amount, network, invoice.currency, (option.minor_per_coin, option.rate_sources), at=at)
        if invoice.needs_settling or not update_if_unchanged(invoice):
            raise InvoiceMoved(_("Somebody else changed this at the same moment. Please check it again."))
        payout = Payout.objects.create(
            pk=payout_id or new_id(),
            invoice=invoice,
            kind=kind,
            network=network,
            destination=goes_to,
            amount_base=amount,
            currency=invoice.currency,
            **value,
            reason=reason,
            created_by=actor,
            author_id=account_of(actor),
            created_at=at,
        )
        _record(payout, "payout.draft", actor=actor, reason=reason, at=at)
        return payout

    return _retry_conflicts(draft)


def _amount(invoice: Invoice, kind: str, network: str, requested: int | None) -> Base:
    """Return the amount to refund; all that the kind allows when none was requested. Raises PayoutRefused."""
    most = most_of_kind(invoice, kind).get(network)
    if most is None:
        raise PayoutRefused(
            _("%(invoice)s has no settled %(coin)s that could be refunded.")
            % {"invoice": invoice.order_number, "coin": UNITS[network].symbol}
        )
    amount = most_of_one_payout(invoice, kind).get(network, most) if requested is None else Base(requested)
    dust = UNITS[network].dust_base
    if not dust < amount <= most:
        raise PayoutRefused(
            _("Between %(least)s and %(most)s %(coin)s of %(invoice)s can be refunded.")
            % {
                "least": coins(dust + 1, network),
                "most": coins(most, network),
                "coin": UNITS[network].symbol,
                "invoice": invoice.order_number,
            }
        )
    if network == LIGHTNING and amount % 1000:
        raise PayoutRefused(_("Over Lightning only whole satoshis can be refunded."))
    return amount


def _value_of(amount: int, network: str, currency: str, known: tuple[Decimal, dict[str, Any]], *, at: datetime) -> dict[str, Any]:
    """Return the value of an amount in fiat, with its rate: the fields of a payout.

    The current rate counts. Without a fresh one it is the last that was stored or the known one, the higher of the two, because the
    value decides which limits apply.
    """
    rate, sources = known
    latest = latest_rate(network, at=at) if currency == settings.CURRENCY else None
    if latest and (is_fresh(latest.quoted_at, at) or latest.minor_per_coin > rate):
        rate, sources = latest.minor_per_coin, latest.sources
    value = round_half_up(base_to_fiat(amount, minor_per_coin=rate, network=network))
    return {"value_minor": value, "minor_per_coin": rate, "rate_sources": sources}


def revalue(payout: Payout, *, at: datetime) -> dict[str, Any]:
    """Give the payout its current value, and return the changed fields. Writes nothing."""
    values = _value_of(payout.amount_base, payout.network, payout.currency, (payout.minor_per_coin, payout.rate_sources), at=at)
    for name, value in values.items():
        setattr(payout, name, value)
    return values


def set_destination(payout_id: UUID, destination: str, *, network: str | None = None, actor: str, at: datetime) -> Payout:
    """Set the destination, and the network when the buyer chose another; possible until somebody has approved the payout.

    `destination` was checked by payments.payouts.destinations. Raises PayoutRefused, PayoutMoved.
    """

    def change() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status != Payout.Status.DRAFT or payout.approved_by:
            raise PayoutRefused(_("This payout was already approved: its destination can no longer be changed."))
        if payout.network == CARD:
            raise PayoutRefused(_("A card payment is refunded to the card that paid it."))
        amount = payout.amount_base
        if network and network != payout.network:
            if UNITS[network].coin != UNITS[payout.network].coin:
                raise PayoutRefused(_("%(coin)s is refunded as %(coin)s.") % {"coin": UNITS[payout.network].coin})
            amount = amount * UNITS[network].base_per_coin // UNITS[payout.network].base_per_coin
            if network == LIGHTNING:
                amount -= amount % 1000
            if amount <= UNITS[network].dust_base:
                raise PayoutRefused(_("This amount is too small for a payment over %(network)s.") % {"network": UNITS[network].name})
        values: dict[str, Any] = {"destination": destination, "network": network or payout.network, "amount_base": amount}
        if actor != BUYER:
            values["author_id"] = account_of(actor)
        return _write(payout, "payout.destination", actor=actor, at=at, **values)

    return _retry_conflicts(change)


def required_approvals(payout: Payout) -> int:
    """Return how many people must approve the payout.

    Other payouts of its invoice that are approved count with it, so that a refund in two halves does not avoid the second person.
    """
    others = promised(payout.invoice_id).filter(status__in=ON_ITS_WAY).exclude(pk=payout.pk)
    value = payout.value_minor + sum(others.values_list("value_minor", flat=True))
    return 2 if value > limit_to_minor(settings.PAYOUT_SECOND_PERSON_ABOVE, payout.currency) else 1


def approve_payout(payout_id: UUID, *, actor: str, at: datetime, seen_version: int | None = None) -> Payout:
    """Approve a payout in the name of a member of staff.

    Above PAYOUT_SECOND_PERSON_ABOVE two accounts must agree; that of the draft's author is one of them, the buyer's is not.
    The value that counts is the current one, not that of the draft. `seen_version` is the payout as the person saw it.
    Raises PayoutRefused (NotCovered among them), PayoutMoved.
    """

    def approve() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status != Payout.Status.DRAFT:
            raise PayoutRefused(
                _("This payout cannot be approved, because its status is “%(status)s”.") % {"status": payout.get_status_display()}
            )
        if seen_version not in (None, payout.version):
            raise PayoutRefused(_("This payout was changed since you looked at it. Please check its destination again."))
        if not payout.destination:
            raise PayoutRefused(_("This payout has no destination yet."))
        confirm_cover(payout)
        if missing := missing_confirmations(payout.invoice):
            raise PayoutRefused(
                ngettext(
                    "The payment needs %(missing)d more confirmation before so much can be refunded. Approve this later.",
                    "The payment needs %(missing)d more confirmations before so much can be refunded. Approve this later.",
                    missing,
                )
                % {"missing": missing}
            )
        _one_at_a_time()
        value = revalue(payout, at=at) | UNBLOCKED
        is_second = payout.approved_by not in ("", actor)
        approval = {"confirmed_by": actor} if is_second else {"approved_by": actor, "approver_id": account_of(actor)}
        if needs_another_person(payout, actor, required_approvals(payout)):
            return _write(payout, "payout.agreed", actor=actor, at=at, **approval, **value)
        _within_limits(payout, at=at)
        values: dict[str, Any] = {**value, **approval, "status": Payout.Status.APPROVED, "approved_at": at, "next_try_at": at}
        return _write(payout, "payout.approved", actor=actor, at=at, **values)

    return _retry_conflicts(approve)


def approval_problem(payout: Payout, name: str) -> str:
    """Say why this member of staff cannot approve the payout and somebody else must; return an empty text if they can."""
    try:
        needs_another_person(payout, name, required_approvals(payout))
    except PayoutRefused as refusal:
        return str(refusal)
    return ""


def _one_at_a_time() -> None:
    """Make approvals wait for one another: what is read after this stays true until the transaction ends. Raises PayoutMoved."""
    counter, _is_new = Cursor.objects.get_or_create(network=APPROVALS)
    if not Cursor.objects.filter(network=APPROVALS, value=counter.value).update(value=str(int(counter.value or 0) + 1)):
        raise PayoutMoved(_("Another payout was approved at the same moment."))


def _within_limits(payout: Payout, *, at: datetime) -> None:
    """Check the limit of one payout and that of 24 hours. Raises PayoutRefused."""
    most, daily = (limit_to_minor(limit, payout.currency) for limit in (settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT))
    if payout.value_minor > most:
        raise PayoutRefused(_("The value of one payout is limited to %(limit)s (PAYOUT_LIMIT).") % {"limit": money(most, payout.currency)})
    today = Payout.objects.filter(status__in=ON_ITS_WAY, approved_at__gt=at - DAY)
    if (today.aggregate(sum=Sum("value_minor"))["sum"] or 0) + payout.value_minor > daily:
        raise PayoutRefused(
            _("With this payout, the payouts of 24 hours would exceed %(limit)s (PAYOUT_DAILY_LIMIT). Approve it tomorrow.")
            % {"limit": money(daily, payout.currency)}
        )


def withdraw_payout(payout_id: UUID, *, actor: str, reason: str, at: datetime) -> Payout:
    """Withdraw a payout before anything of it was handed to a node. Raises PayoutRefused, PayoutMoved."""

    def withdraw() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status not in (Payout.Status.DRAFT, Payout.Status.APPROVED):
            raise PayoutRefused(
                _("This payout cannot be withdrawn, because its status is “%(status)s”.") % {"status": payout.get_status_display()}
            )
        return _write(
            payout, "payout.withdrawn", actor=actor, reason=reason, at=at, status=Payout.Status.WITHDRAWN, next_try_at=None, psbt=""
        )

    return _retry_conflicts(withdraw)


def try_again(payout_id: UUID, *, actor: str, at: datetime) -> Payout:
    """Let the payout be tried now instead of at its next time. Raises PayoutRefused, PayoutMoved."""

    def retry() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status not in UNFINISHED:
            raise PayoutRefused(
                _("There is nothing to try again: the status of this payout is “%(status)s”.") % {"status": payout.get_status_display()}
            )
        return _write(payout, "payout.try_again", actor=actor, at=at, next_try_at=at, **UNBLOCKED)

    return _retry_conflicts(retry)


def record_sent_by_hand(payout_id: UUID, reference: str, *, actor: str, reason: str, at: datetime) -> Payout:
    """Record that staff sent the payout from another wallet. Raises PayoutRefused, PayoutMoved; IntegrityError for a known reference."""

    def record_sent() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.network == CARD and payout.status != Payout.Status.FAILED:
            raise PayoutRefused(_("A card payment is refunded by Stripe, which the shop asks. A refund in Stripe's dashboard is noticed."))
        if payout.status not in (Payout.Status.APPROVED, Payout.Status.FAILED):
            raise PayoutRefused(
                _("Only a payout that is approved or has failed can be recorded as sent manually: the status of this one is “%(status)s”.")
                % {"status": payout.get_status_display()}
            )
        if payout.status == Payout.Status.FAILED:
            try:
                confirm_cover(payout)
            except NotCovered as error:
                raise PayoutRefused(_("This money is gone, or has since been assigned to another payout.")) from error
        return _sent(payout, reference, actor=actor, reason=reason, at=at)

    return _retry_conflicts(record_sent)


def stop_payout(payout: Payout, problem: str, *, at: datetime) -> Payout:
    """Stop a payout whose money is gone until a person decides about it. In the caller's transaction. Raises PayoutMoved."""
    values: dict[str, Any] = {"blocked_by": Payout.BlockedBy.COVER, "error": problem[:300], "next_try_at": None}
    stopped = _write(payout, "payout.stopped", at=at, **values)
    mail_payout_trouble(stopped)
    return stopped


def wait_for_fees(payout: Payout, *, at: datetime, **values: Any) -> Payout:
    """Let a payout wait because its network fee is above the limit, and nothing of it is under way.

    In the caller's transaction. Raises PayoutMoved.
    """
    waiting = _write(payout, "payout.fee_too_high", at=at, blocked_by=Payout.BlockedBy.FEE, **values)
    mail_payout_trouble(waiting)
    return waiting


def allow_fee(payout_id: UUID, fee_base: int, *, actor: str, reason: str, at: datetime) -> Payout:
    """Allow a network fee above the limit, in the name of a member of staff. Raises PayoutRefused, PayoutMoved."""

    def allow() -> Payout:
        payout = Payout.objects.get(pk=payout_id)
        if payout.status not in NOT_SENT_YET or payout.psbt:
            raise PayoutRefused(_("The fee of this payout can no longer be changed: its transaction is made already."))
        if fee_base <= 0:
            raise PayoutRefused(_("Enter the highest fee that the shop may pay."))
        values: dict[str, Any] = {"fee_allowed_base": fee_base}
        if payout.status == Payout.Status.APPROVED and payout.blocked_by != Payout.BlockedBy.COVER:
            values |= {"next_try_at": at, **UNBLOCKED}
        return _write(payout, "payout.fee_allowed", actor=actor, reason=reason, at=at, **values)

    return _retry_conflicts(allow)


def resume_draft(payout: Payout, *, at: datetime) -> Payout:
    """Record that the money of a stopped draft is there again. In the caller's transaction. Raises PayoutMoved."""
    return _write(payout, "payout.covered", at=at, next_try_at=None, **UNBLOCKED)


def mark_sent(payout: Payout, reference: str, *, fee_base: int | None, at: datetime) -> Payout:
    """Record that the node sent the payout. In the caller's transaction. Raises NotCovered, if nothing of it was sent before."""
    if payout.status == Payout.Status.APPROVED:
        confirm_cover(payout)
    return _sent(payout, reference, at=at, fee_base=fee_base)


def _sent(payout: Payout, reference: str, *, at: datetime, actor: str = "", reason: str = "", **values: Any) -> Payout:
    values |= {"status": Payout.Status.SENT, "reference": reference, "sent_at": at, "next_try_at": None, **UNBLOCKED}
    return _write(payout, "payout.sent", actor=actor, reason=reason, at=at, **values)


def move_payout(payout: Payout, status: str, *, at: datetime, **values: Any) -> Payout:
    """Record a step of sending: `approved` with its transaction, `sending`, `failed`, `unknown`. In the caller's transaction.

    Raises PayoutMoved; NotCovered when it would be the first step towards sending it, or a signature for it.
    """
    if payout.status == Payout.Status.APPROVED and status not in NOTHING_WENT:
        confirm_cover(payout)
        values |= {"blocked_by": ""}
    event = f"payout.{status}" if status != payout.status else "payout.updated"
    moved = _write(payout, event, at=at, status=status, **values)
    mail_payout_trouble(moved)
    return moved


def _write(payout: Payout, event: str, *, at: datetime, actor: str = "", reason: str = "", **values: Any) -> Payout:
    """Write the values and their event, if the payout has not changed since it was read. Raises PayoutMoved."""
    if not update_if_unchanged(payout, **values):
        raise PayoutMoved(_("Somebody else changed this payout at the same moment. Please check it again."))
    _record(payout, event, actor=actor, reason=reason, at=at)
    return payout


def _record(payout: Payout, event: str, *, actor: str, reason: str, at: datetime) -> None:
    data = {
        "status": str(payout.status),
        "network": payout.network,
        "amount": payout.amount_text,
        "destination": payout.destination,
        "reference": payout.reference,
        **({"feeAllowed": format_coin(payout.fee_allowed_base, payout.network)} if payout.fee_allowed_base is not None else {}),
        **({"reason": reason} if reason else {}),
        **({"error": payout.error} if payout.error else {}),
    }
    record(event, payout.pk, seq=payout.version, actor=actor, data=data)
    follow_payout(payout, at=at)
    mail_payout_waits(payout)
    if payout.status in NOTHING_WENT:  # there may be cover again for others that stopped
        Payout.objects.filter(invoice=payout.invoice_id, status__in=NOT_SENT_YET).update(next_try_at=at)
    subject().on_payout(payout, at=at)
    if payout.next_try_at is not None and payout.next_try_at <= at:
        jobs().send_payout(payout.pk)


def _retry_conflicts(act: Callable[[], Payout]) -> Payout:
    """Run `act` in a transaction, up to three times while other processes change the payout or its invoice first. Raises PayoutMoved."""
    failure = PayoutMoved(_("Somebody else changed this at the same moment. Please check it again."))
    return retry_when((InvoiceMoved, PayoutMoved), lambda: in_transaction(act), failure=failure)
