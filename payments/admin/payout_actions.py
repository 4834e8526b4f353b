"""What staff do about payouts: draft, set the destination, approve, sign, send by hand, withdraw. Each has a page that asks to confirm."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.login_steps import ask_again
from cryptons.admin_actions import Action, ConfirmationPage, Confirmed, ReasonForm, confirm, permitted_action
from cryptons.coins import CARD, LIGHTNING, CoreCoin, configured_coin
from cryptons.formats import money, network_amount, plain_decimal
from cryptons.money import UNITS, format_coin
from payments.admin.payout_forms import ApprovalForm, DestinationForm, DraftForm, FeeForm, ManualSendForm, SignedForm
from payments.errors import NodeRejected, NodeUnavailable, PaymentError, PayoutRefused
from payments.invoices.refundable import NOT_SENT_YET, promised, staffs_kinds
from payments.models import Invoice, Payment, Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.payouts.cover import cover_problem, kind_problem, most_of_one_payout
from payments.payouts.destinations import can_be_refunded_over
from payments.payouts.fees import fee_words
from payments.payouts.sending import accept_signed
from payments.payouts.workflow import (
    allow_fee,
    approval_problem,
    approve_payout,
    draft_payout,
    record_sent_by_hand,
    required_approvals,
    revalue,
    set_destination,
    try_again,
    withdraw_payout,
)

Status = Payout.Status
DRAFTS: dict[str, str | Promise] = {"excess": _("Refund the excess"), "late": _("Refund the payment"), "refund": _("Refund")}
"""What the button of each kind of payout says."""
MAY_DRAFT, MAY_ACT = "payments.add_payout", "payments.change_payout"


@dataclass(frozen=True, kw_only=True)
class PayoutAction(Action[Payout]):
    question: str | Promise
    done: str | Promise
    permission: str = MAY_ACT


def _withdraw(payout: Payout, sent: Confirmed) -> None:
    coin = _coin_to_sign(payout)
    if coin and chain_payouts.is_broadcast(coin, payout.psbt):
        raise PayoutRefused(gettext("The wallet that signed this transaction has already sent it. Record the payout as sent manually."))
    withdraw_payout(payout.pk, actor=sent.actor, reason=sent.values["reason"], at=sent.at)
    _release(coin, payout.psbt)


def _record_sent_by_hand(payout: Payout, sent: Confirmed) -> None:
    coin = _coin_to_sign(payout)
    record_sent_by_hand(payout.pk, sent.values["reference"], actor=sent.actor, reason=sent.values["reason"], at=sent.at)
    _release(coin, payout.psbt)


def _coin_to_sign(payout: Payout) -> CoreCoin | None:
    """Return the coin of a payout whose transaction waits for a signature of staff."""
    waits = payout.status == Status.APPROVED and payout.psbt
    return configured_coin(payout.network) if waits else None


def _release(coin: CoreCoin | None, psbt: str) -> None:
    """Unlock the coins that the transaction would have spent. A node that is away is no error: it unlocks them when it restarts."""
    if coin:
        with suppress(NodeUnavailable, NodeRejected):
            chain_payouts.release(coin, psbt)


ACTIONS = {
    action.name: action
    for action in (
        PayoutAction(
            name="destination",
            label=_("Set destination"),
            question=_("Where should this payout be sent?"),
            done=_("The destination is set."),
            fits=lambda payout: payout.status == Status.DRAFT and not payout.approved_by and payout.network != CARD,
            run=lambda payout, sent: set_destination(
                payout.pk, sent.values["destination"], network=payout.network, actor=sent.actor, at=sent.at
            ),
            form=DestinationForm,
        ),
        PayoutAction(
            name="approve",
            label=_("Approve"),
            question=_("Send this money? A payout cannot be reversed once it is sent."),
            done=_("You approved this payout."),
            fits=lambda payout: payout.status == Status.DRAFT and bool(payout.destination),
            run=lambda payout, sent: approve_payout(payout.pk, actor=sent.actor, at=sent.at, seen_version=sent.values["version"]),
            form=ApprovalForm,
        ),
        PayoutAction(
            name="sign",
            label=_("Upload the signed transaction"),
            question=_(
                "Download the transaction (PSBT), sign it in the wallet that holds the keys, and upload it here. The shop then sends it."
            ),
            done=_("The transaction is signed and will be sent within seconds."),
            fits=lambda payout: payout.status == Status.APPROVED and bool(payout.psbt),
            run=lambda payout, sent: accept_signed(payout.pk, sent.values["psbt"], actor=sent.actor, at=sent.at),
            form=SignedForm,
        ),
        PayoutAction(
            name="again",
            label=_("Try again now"),
            question=_(
                "Offer this payout to the node again now? If the node accepts it, it is sent. If it can never be sent, it fails, and the "
                "money can be refunded by a new payout."
            ),
            done=_("The payout will be tried again within seconds."),
            fits=lambda payout: payout.status in (Status.SENDING, Status.UNKNOWN) or (payout.status == Status.APPROVED and not payout.psbt),
            run=lambda payout, sent: try_again(payout.pk, actor=sent.actor, at=sent.at),
        ),
        PayoutAction(
            name="fee",
            label=_("Allow a higher fee"),
            question=_(
                "How much may the network take for this payout? The shop pays the fee on top. Nobody is asked again unless the fee is even "
                "higher."
            ),
            done=_("The higher fee is allowed."),
            fits=lambda payout: payout.status in NOT_SENT_YET and not payout.psbt and bool(payout.destination) and payout.network != CARD,
            run=lambda payout, sent: allow_fee(payout.pk, sent.values["fee"], actor=sent.actor, reason=sent.values["reason"], at=sent.at),
            form=FeeForm,
        ),
        PayoutAction(
            name="hand",
            label=_("Record as sent manually"),
            question=_("Was this payout sent from another wallet? The shop will not send it."),
            done=_("The payout is recorded as sent."),
            fits=lambda payout: payout.status == Status.FAILED or (payout.status == Status.APPROVED and payout.network != CARD),
            run=_record_sent_by_hand,
            form=ManualSendForm,
        ),
        PayoutAction(
            name="withdraw",
            label=_("Withdraw"),
            question=_("Withdraw this payout? The money stays with the shop and can be refunded by a new payout."),
            done=_("The payout is withdrawn."),
            fits=lambda payout: payout.status in (Status.DRAFT, Status.APPROVED),
            run=_withdraw,
            form=ReasonForm,
        ),
    )
}


SHOWS_FEE = ("approve", "sign", "again", "fee")
"""The actions before which the node is asked what the payout would cost."""


def action_links(payout: Payout, name: str) -> list[tuple[str, str]]:
    """Return label and address of the button of each action that fits the payout and this member of staff."""
    hidden = {"approve"} if payout.status == Status.DRAFT and approval_problem(payout, name) else set()
    return [
        (str(action.label), reverse("admin:payments_payout_act", args=[payout.pk, action.name]))
        for action in ACTIONS.values()
        if action.fits(payout) and action.name not in hidden
    ]


def draft_links(invoice: Invoice, user: Any) -> list[tuple[str, str]]:
    """Return label and address of each button that drafts a payout of the invoice's money; none without the permission."""
    if not user.has_perm(MAY_DRAFT):
        return []
    return [(str(DRAFTS[kind]), draft_path(invoice.pk, kind)) for kind in staffs_kinds(invoice)]


def draft_path(invoice_id: UUID, kind: str) -> str:
    return reverse("admin:payments_payout_draft", args=[invoice_id, kind])


def amount_words(payout: Payout) -> str:
    coin = {"amount": plain_decimal(payout.amount_text), "coin": UNITS[payout.network].symbol}
    return gettext("%(amount)s %(coin)s over Lightning") % coin if payout.network == LIGHTNING else f"{coin['amount']} {coin['coin']}"


def value_words(payout: Payout) -> str:
    return money(payout.value_minor, payout.currency)


def attention_words(payout: Payout) -> str:
    """Say, before anybody presses a button, why the payout is not sent; empty while it may be."""
    if payout.status in NOT_SENT_YET and (problem := cover_problem(payout, payout.invoice)):
        return problem
    if payout.blocked_by == Payout.BlockedBy.COVER and payout.status == Status.APPROVED:
        return gettext("What this payout sends back was gone, and is there again. Send it by “%(button)s”, or withdraw it.") % {
            "button": ACTIONS["sign" if payout.psbt else "again"].label
        }
    return payout.error if payout.blocked_by else ""


def people_words(payout: Payout) -> str:
    """Say who drafted the payout, who approved it, and how many people must approve it."""
    approvers = [name for name in (payout.approved_by, payout.confirmed_by) if name]
    words = payout.created_by
    if approvers:
        words = gettext("%(author)s; approved by %(approvers)s") % {"author": payout.created_by, "approvers": ", ".join(approvers)}
    if payout.status == Status.DRAFT and required_approvals(payout) > 1:
        words = gettext("%(people)s (needs two people)") % {"people": words}
    return words


def act(request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
    """Ask to confirm an action on a payout, and run it."""
    action = permitted_action(request, ACTIONS, name)
    payout = get_object_or_404(Payout, pk=pk)
    if action.name != "withdraw" and (answer := ask_again(request)):
        return answer

    def run(sent: Confirmed) -> None:
        try:
            action.run(payout, sent)
        except IntegrityError as error:
            raise PayoutRefused(gettext("This transaction is already recorded for another payout.")) from error
        messages.success(request, str(action.done))

    return confirm(request, lambda: _describe(action, Payout.objects.get(pk=pk)), run, refusals=(PaymentError,))


def _describe(action: PayoutAction, payout: Payout) -> ConfirmationPage:
    if payout.status == Status.DRAFT:
        revalue(payout, at=timezone.now())
    return ConfirmationPage(
        title=str(action.label),
        question=str(action.question),
        button=str(action.label),
        back=reverse("admin:payments_payout_change", args=[payout.pk]),
        path=_path_to(payout),
        facts=[
            (gettext("Amount"), [amount_words(payout)]),
            (gettext("Value"), [value_words(payout)]),
            (gettext("Network fee"), fee_words(payout) if action.name in SHOWS_FEE and payout.status in NOT_SENT_YET else []),
            (gettext("Order"), [payout.invoice.order_number]),
            (gettext("Destination"), [payout.destination]),
            (gettext("Drafted by"), [people_words(payout)]),
        ],
        form=_form_of(action, payout),
        initial={"version": payout.version},
        problem="" if action.name == "withdraw" else attention_words(payout),
    )


def _form_of(action: PayoutAction, payout: Payout) -> Callable[..., forms.Form]:
    if action.form is DestinationForm:
        return partial(DestinationForm, payout=payout)
    return partial(FeeForm, network=payout.network) if action.form is FeeForm else action.form


def _path_to(payout: Payout) -> list[tuple[str, str]]:
    return [
        (gettext("Payouts"), reverse("admin:payments_payout_changelist")),
        (payout.invoice.order_number, reverse("admin:payments_payout_change", args=[payout.pk])),
    ]


def draft(request: HttpRequest, invoice_id: UUID, kind: str) -> HttpResponse:
    """Ask how much of an invoice's money is refunded, and draft the payout."""
    if not request.user.has_perm(MAY_DRAFT):
        raise PermissionDenied
    invoice = get_object_or_404(Invoice, pk=invoice_id)
    if kind not in DRAFTS:
        raise Http404(gettext("There is no such payout."))
    back = reverse("admin:payments_invoice_change", args=[invoice_id])
    most = {network: amount for network, amount in most_of_one_payout(invoice, kind).items() if can_be_refunded_over(network)}
    if not most:
        messages.error(request, gettext("This invoice has no settled money that could be refunded."))
        return redirect(back)
    if problem := kind_problem(invoice, kind):
        messages.error(request, problem)
        return redirect(back)
    form = partial(DraftForm, most=most, currency=invoice.currency)
    page = _describe_draft(invoice, kind, next(iter(most.items())), form, back)
    return confirm(request, lambda: page, partial(_draft, request, invoice_id, kind), refusals=())


def _describe_draft(invoice: Invoice, kind: str, most: tuple[str, int], form: Callable[..., forms.Form], back: str) -> ConfirmationPage:
    network, amount = most
    return ConfirmationPage(
        title=str(DRAFTS[kind]),
        question=gettext(
            "How much is refunded? The buyer is asked by email for a destination. Then the payout waits until staff approve it."
        ),
        button=gettext("Create draft"),
        back=back,
        path=[(gettext("Invoices"), reverse("admin:payments_invoice_changelist")), (invoice.order_number, back)],
        facts=[
            (gettext("Order"), [invoice.order_number]),
            (gettext("Price"), [money(invoice.price_minor, invoice.currency)]),
            (gettext("Received and settled"), _received(invoice)),
            (gettext("Refunded already"), _promised(invoice)),
        ],
        form=form,
        initial={"network": network, "amount": format_coin(amount, network)},
    )


def _draft(request: HttpRequest, invoice_id: UUID, kind: str, sent: Confirmed) -> HttpResponse | None:
    values = sent.values
    try:
        payout = draft_payout(
            invoice_id,
            kind=kind,
            network=values["network"],
            amount_base=values["amount_base"],
            actor=sent.actor,
            reason=values["reason"],
            at=sent.at,
        )
    except PaymentError as error:
        raise forms.ValidationError(str(error)) from error
    done = gettext("The payout is drafted. The buyer is asked by email for a destination; you can set it for them, too.")
    messages.success(request, gettext("The payout is drafted.") if payout.destination else done)
    return redirect("admin:payments_payout_change", payout.pk) if request.user.has_perm("payments.view_payout") else None


def _received(invoice: Invoice) -> list[str]:
    payments = Payment.objects.filter(invoice=invoice, status=Payment.Status.SETTLED)
    return [network_amount(payment.amount_base, payment.network) for payment in payments]


def _promised(invoice: Invoice) -> list[str]:
    payouts = promised(invoice.pk).order_by("created_at")
    return [f"{network_amount(payout.amount_base, payout.network)} ({payout.get_status_display()})" for payout in payouts]
