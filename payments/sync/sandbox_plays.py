"""Simulate in the sandbox what a buyer and a chain can do to one invoice."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.coins import CARD
from cryptons.money import Base
from payments.errors import UnknownPlay
from payments.invoices.buyer_view import read_buyer_view
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, SandboxTransaction
from payments.networks.registry import is_sandbox
from payments.networks.sandbox.network import mine_block, receive, unmine

PLAYS = {
    "exact": _("Pay the exact amount"),
    "under": _("Pay too little"),
    "over": _("Pay too much"),
    "late": _("Pay after the quote has expired"),
    "doubleSpend": _("Pay, then double-spend"),
    "reorg": _("Pay, then simulate a reorg"),
    "confirm": _("Mine a block now"),
}


def play(invoice_id: UUID, act: str, *, at: datetime) -> None:
    """Simulate an act on an invoice. The follower reads its result as from a real node.

    Raises Invoice.DoesNotExist, and UnknownPlay for an act that is not in PLAYS, for cards, and when the sandbox is off.
    """
    if not is_sandbox():
        raise UnknownPlay(gettext("This shop has no sandbox: it takes real payments."))
    if act not in _ACTS:
        raise UnknownPlay(gettext("The sandbox cannot play “%(play)s”. It plays %(plays)s.") % {"play": act, "plays": ", ".join(PLAYS)})
    invoice = Invoice.objects.get(pk=invoice_id)
    option = Option.objects.filter(invoice=invoice).latest("created_at")
    if option.network == CARD:
        raise UnknownPlay(gettext("The sandbox simulates coins. Pay on Stripe's page with one of its test cards."))
    _ACTS[act](invoice, option, at)


def _pay(share_percent: int) -> Callable[[Invoice, Option, datetime], None]:
    def pay(invoice: Invoice, option: Option, at: datetime) -> None:
        receive(option.network, option.destination, Base(option.due_base * share_percent // 100), at=at)

    return pay


def _pay_what_is_asked(invoice: Invoice, option: Option, at: datetime) -> None:
    """Pay what the pay page asks for: after a part payment that is the rest."""
    view = read_buyer_view(invoice.pk)
    receive(option.network, option.destination, view.remaining_base if view.remaining_minor else Base(option.due_base), at=at)


def _pay_late(invoice: Invoice, option: Option, at: datetime) -> None:
    """Let the quote and the grace period after it expire at once, then pay."""
    over = at - timedelta(minutes=settings.LATE_GRACE_MINUTES, seconds=1)
    if Invoice.objects.filter(pk=invoice.pk, status=Invoice.Status.NEW).update(expires_at=over, version=F("version") + 1):
        Option.objects.filter(invoice=invoice).update(expires_at=over)
        settle(invoice.pk, at=at)
    receive(option.network, option.destination, Base(option.due_base), at=at)


def _double_spend(invoice: Invoice, option: Option, at: datetime) -> None:
    waiting = SandboxTransaction.objects.filter(destination=option.destination, height__isnull=True, is_conflicted=False)
    if not waiting.update(is_conflicted=True, changed_at=at):
        receive(option.network, option.destination, Base(option.due_base), at=at, fate="doubleSpend")


def _reorg(invoice: Invoice, option: Option, at: datetime) -> None:
    mined = list(SandboxTransaction.objects.filter(destination=option.destination, height__isnull=False))
    for transaction in mined:
        unmine(transaction.pk, now=at)
    if not mined:
        receive(option.network, option.destination, Base(option.due_base), at=at, fate="reorg")


def _confirm(invoice: Invoice, option: Option, at: datetime) -> None:
    SandboxTransaction.objects.filter(destination=option.destination, height__isnull=True).update(mine_after=at)
    mine_block(option.network, at)


_ACTS: dict[str, Callable[[Invoice, Option, datetime], None]] = {
    "exact": _pay_what_is_asked,
    "under": _pay(60),
    "over": _pay(150),
    "late": _pay_late,
    "doubleSpend": _double_spend,
    "reorg": _reorg,
    "confirm": _confirm,
}
