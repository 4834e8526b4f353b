"""Staff draft payouts, agree on them and sign them; each act is a page of its own that says what will happen."""

import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from cryptons.coins import LIGHTNING, CoreCoin, configured_coin
from cryptons.events.models import Event
from cryptons.money import UNITS, format_coin, format_fiat
from payments.admin.base import ReadOnly, buttons
from payments.admin.payout_forms import AgreeForm, DestinationForm, DraftForm, HandForm, ReasonForm, SignedForm
from payments.confirmations import FINAL_DEPTH
from payments.errors import NodeRejected, NodeUnavailable, PaymentError, PayoutRefused
from payments.invoices.refundable import most_of_kind, promised, staffs_kinds
from payments.models import Invoice, Payment, Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.payouts.sending import accept_signed
from payments.payouts.workflow import (
    approve_payout,
    draft_payout,
    people_needed,
    record_sent_by_hand,
    set_destination,
    try_again,
    weigh,
    withdraw_payout,
)

Status = Payout.Status
DRAFTS = {"excess": "Send the excess back", "late": "Send the money back", "refund": "Refund"}
MAY_DRAFT, MAY_ACT = "payments.add_payout", "payments.change_payout"


@dataclass(frozen=True)
class Act:
    label: str
    question: str
    done: str
    fits: Callable[[Payout], bool]
    """Whether its button is shown; whether it works is decided when it is pressed."""
    do: Callable[[Payout, dict[str, Any], str, datetime], object]
    """(payout, the form's values, actor, at); raises PaymentError."""
    form: type[forms.Form] = forms.Form


ACTS = {
    "destination": Act(
        "Say where to",
        "Where does it go to?",
        "It goes there.",
        lambda payout: payout.status == Status.DRAFT and not payout.approved_by,
        lambda payout, values, actor, at: set_destination(payout.pk, values["destination"], network=payout.network, actor=actor, at=at),
        DestinationForm,
    ),
    "approve": Act(
        "Agree",
        "Send this money? Once it is sent, nobody can bring it back.",
        "You agreed.",
        lambda payout: payout.status == Status.DRAFT and bool(payout.destination),
        lambda payout, values, actor, at: approve_payout(payout.pk, actor=actor, at=at, seen_version=values["version"]),
        AgreeForm,
    ),
    "sign": Act(
        "Upload the signed transaction",
        "Download the transaction (PSBT), sign it in the wallet that has the keys, and upload it here. The shop then sends it.",
        "It is signed and will be sent within seconds.",
        lambda payout: payout.status == Status.APPROVED and bool(payout.psbt),
        lambda payout, values, actor, at: accept_signed(payout.pk, values["psbt"], actor=actor, at=at),
        SignedForm,
    ),
    "again": Act(
        "Try again now",
        "Ask the node again now? What it takes is sent. What can never be sent any more fails, and its money can go back anew.",
        "It is tried again within seconds.",
        lambda payout: payout.status in (Status.SENDING, Status.UNKNOWN) or (payout.status == Status.APPROVED and not payout.psbt),
        lambda payout, values, actor, at: try_again(payout.pk, actor=actor, at=at),
    ),
    "hand": Act(
        "Record that it was sent by hand",
        "Was it sent from another wallet? The shop will not send it any more.",
        "It is recorded as sent.",
        lambda payout: payout.status in (Status.APPROVED, Status.FAILED),
        lambda payout, values, actor, at: _record_by_hand(payout, values, actor, at),
        HandForm,
    ),
    "withdraw": Act(
        "Withdraw",
        "Give this payout up? The money stays with the shop and can be promised again.",
        "It is withdrawn.",
        lambda payout: payout.status in (Status.DRAFT, Status.APPROVED),
        lambda payout, values, actor, at: _withdraw(payout, values["reason"], actor, at),
        ReasonForm,
    ),
}


def draft_links(invoice: Invoice, user: Any) -> list[tuple[str, str]]:
    """(what the button says, where it leads): those for which there is money that could go back, for who may draft payouts."""
    if not user.has_perm(MAY_DRAFT):
        return []
    return [(DRAFTS[kind], draft_path(invoice.pk, kind)) for kind in staffs_kinds(invoice)]


def draft_path(invoice_id: UUID, kind: str) -> str:
    return reverse("admin:payments_payout_draft", args=[invoice_id, kind])


def _came(invoice: Invoice) -> str:
    payments = Payment.objects.filter(invoice=invoice, status=Payment.Status.SETTLED)
    return ", ".join(f"{payment.amount_text} {payment.network}" for payment in payments)


def _goes(invoice: Invoice) -> str:
    payouts = promised(invoice.pk).order_by("created_at")
    return ", ".join(f"{payout.amount_text} {payout.network} ({payout.get_status_display().lower()})" for payout in payouts)


def _withdraw(payout: Payout, reason: str, actor: str, at: datetime) -> None:
    coin = _coin_to_sign(payout)
    if coin and chain_payouts.is_told(coin, payout.psbt):
        raise PayoutRefused("This transaction was sent already, by the wallet that signed it. Record that it was sent by hand.")
    withdraw_payout(payout.pk, actor=actor, reason=reason, at=at)
    _release(coin, payout.psbt)


def _record_by_hand(payout: Payout, values: dict[str, Any], actor: str, at: datetime) -> None:
    coin = _coin_to_sign(payout)
    record_sent_by_hand(payout.pk, values["reference"], actor=actor, reason=values["reason"], at=at)
    _release(coin, payout.psbt)


def _coin_to_sign(payout: Payout) -> CoreCoin | None:
    """Of a payout that has a transaction for staff to sign."""
    waits = payout.status == Status.APPROVED and payout.psbt
    return configured_coin(payout.network) if waits else None


def _release(coin: CoreCoin | None, psbt: str) -> None:
    if coin:
        with suppress(NodeUnavailable, NodeRejected):  # it is done all the same; a restart of the node frees them, too
            chain_payouts.release(coin, psbt)


class PayoutAdmin(ReadOnly):
    list_display = ("created_at", "label", "amount", "worth", "kind", "status", "people", "error")
    list_display_links = ("created_at", "label")
    list_filter = ("status", "network", "kind", "created_at")
    search_fields = ("invoice__label", "reference", "destination")
    fields = (
        "label",
        "order",
        "amount",
        "worth",
        "kind",
        "status",
        "error",
        "acts",
        "way_out",
        "destination",
        "people",
        "reason",
        "reference",
        "fee",
        "created_at",
        "sent_at",
        "history",
    )
    readonly_fields = fields

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Buttons for those alone who may press them; the way out where one is needed."""
        hidden = {"label"} if request.user.has_perm("payments.view_invoice") else {"order"}
        if not request.user.has_perm(MAY_ACT):
            hidden.add("acts")
        if not (isinstance(obj, Payout) and obj.status == Status.UNKNOWN and obj.network != LIGHTNING):
            hidden.add("way_out")
        return [name for name in self.fields if name not in hidden]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("invoice")

    @admin.display(description="order")
    def label(self, payout: Payout) -> str:
        return payout.invoice.label

    @admin.display(description="order")
    def order(self, payout: Payout) -> SafeString:
        """For who may look at invoices."""
        return format_html('<a href="{}">{}</a>', reverse("admin:payments_invoice_change", args=[payout.invoice_id]), payout.invoice.label)

    @admin.display(description="amount")
    def amount(self, payout: Payout) -> str:
        return f"{payout.amount_text} {UNITS[payout.network].coin}{' over Lightning' if payout.network == LIGHTNING else ''}"

    @admin.display(description="worth", ordering="value_minor")
    def worth(self, payout: Payout) -> str:
        return f"{format_fiat(payout.value_minor, payout.currency)} {payout.currency}"

    @admin.display(description="fee")
    def fee(self, payout: Payout) -> str:
        return "–" if payout.fee_base is None else f"{format_coin(payout.fee_base, payout.network)} {UNITS[payout.network].coin}"

    @admin.display(description="drafted by")
    def people(self, payout: Payout) -> str:
        agreed = [name for name in (payout.approved_by, payout.confirmed_by) if name]
        told = f"{payout.created_by}; {' and '.join(agreed)} agreed" if agreed else payout.created_by
        return f"{told} (needs two people)" if payout.status == Status.DRAFT and people_needed(payout) > 1 else told

    @admin.display(description="what to do")
    def acts(self, payout: Payout) -> SafeString:
        links = [
            (act.label, reverse("admin:payments_payout_act", args=[payout.pk, name])) for name, act in ACTS.items() if act.fits(payout)
        ]
        if payout.status == Status.APPROVED and payout.psbt:
            links.insert(0, ("Download the transaction (PSBT)", reverse("admin:payments_payout_psbt", args=[payout.pk])))
        return buttons(links)

    @admin.display(description="how to give it up")
    def way_out(self, payout: Payout) -> SafeString:
        """Nobody can call a signed transaction off by their word: what is promised anew could be paid twice."""
        coins = format_html_join(" or ", "<code>{}</code>", ((coin,) for coin in chain_payouts.coins_of(payout.psbt)))
        return format_html(
            "<p>Its transaction is signed, and stays good until a coin that it spends is spent otherwise. The shop offers it to the node "
            "again by itself{}; as soon as the node takes it, it is sent. If that shall not happen:</p><ol>"
            "<li>In the wallet that holds it, send {} to an address of that wallet itself, with a fee that brings it into a block.</li>"
            "<li>Wait until that stands {} blocks deep. The shop notices it by itself, or at once when you press “{}”: "
            "this payout fails then, and its money can go back by a new one.</li></ol>",
            f", next at {payout.next_try_at:%H:%M} UTC" if payout.next_try_at else "",
            coins or "a coin that it spends",
            FINAL_DEPTH,
            ACTS["again"].label,
        )

    @admin.display(description="what happened")
    def history(self, payout: Payout) -> SafeString:
        events = Event.objects.filter(subject_id=payout.pk).order_by("seq")
        rows = (
            (f"{event.created_at:%Y-%m-%d %H:%M:%S}", event.type, event.actor, event.data.get("reason") or event.data.get("error") or "")
            for event in events
        )
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} <strong>{}</strong> {} {}</li>", rows))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/act/<slug:name>/", view(self.act), name="payments_payout_act"),
            path("<uuid:pk>/psbt/", view(self.psbt), name="payments_payout_psbt"),
            path("draft/<uuid:invoice_id>/<slug:kind>/", view(self.draft), name="payments_payout_draft"),
            *super().get_urls(),
        ]

    def act(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        if not request.user.has_perm(MAY_ACT):
            raise PermissionDenied
        if name not in ACTS:
            raise Http404("There is no such act.")
        act, payout = ACTS[name], get_object_or_404(Payout, pk=pk)
        options: dict[str, Any] = {"payout": payout} if act.form in (AgreeForm, DestinationForm) else {}
        form = act.form(request.POST if request.method == "POST" else None, request.FILES or None, **options)
        if request.method == "POST" and form.is_valid():
            try:
                act.do(payout, form.cleaned_data, request.user.get_username(), timezone.now())
            except PaymentError as error:
                messages.error(request, str(error))
            except IntegrityError:
                messages.error(request, "This transaction stands in the books already.")
            else:
                messages.success(request, act.done)
            return redirect("admin:payments_payout_change", pk)
        if payout.status == Status.DRAFT:
            weigh(payout, at=timezone.now())
        facts = [
            ("Amount", self.amount(payout)),
            ("Worth", self.worth(payout)),
            ("Order", payout.invoice.label),
            ("Where to", payout.destination),
            ("Drafted by", self.people(payout)),
        ]
        back = reverse("admin:payments_payout_change", args=[pk])
        return self._ask(request, form, title=act.label, question=act.question, button=act.label, facts=facts, back=back)

    def psbt(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        if not request.user.has_perm(MAY_ACT):
            raise PermissionDenied
        payout = get_object_or_404(Payout.objects.exclude(psbt=""), pk=pk, status=Status.APPROVED)
        try:
            raw = base64.b64decode(payout.psbt, validate=True)
        except binascii.Error as error:
            raise Http404("There is nothing to sign.") from error
        return HttpResponse(
            raw,
            content_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="payout-{payout.pk}.psbt"', "Cache-Control": "no-store"},
        )

    def draft(self, request: HttpRequest, invoice_id: UUID, kind: str) -> HttpResponse:
        if not request.user.has_perm(MAY_DRAFT):
            raise PermissionDenied
        invoice = get_object_or_404(Invoice, pk=invoice_id)
        if kind not in DRAFTS:
            raise Http404("There is no such payout.")
        back = reverse("admin:payments_invoice_change", args=[invoice_id])
        most = most_of_kind(invoice, kind)
        if not most:
            messages.error(request, "There is no settled money of this invoice that could go back.")
            return redirect(back)
        network = next(iter(most))
        initial = {"network": network, "amount": format_coin(most[network], network)}
        form = DraftForm(request.POST or None, most=most, currency=invoice.currency, initial=initial)
        if request.method == "POST" and form.is_valid():
            values = form.cleaned_data
            try:
                payout = draft_payout(
                    invoice_id,
                    kind=kind,
                    network=values["network"],
                    amount_base=values["amount_base"],
                    actor=request.user.get_username(),
                    reason=values["reason"],
                    at=timezone.now(),
                )
            except PaymentError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, "It is drafted. A mail asks the buyer where it shall go to; you can say it for them, too.")
                return redirect(reverse("admin:payments_payout_change", args=[payout.pk]) if self.has_view_permission(request) else back)
        price = f"{format_fiat(invoice.price_minor, invoice.currency)} {invoice.currency}"
        facts = [("Order", invoice.label), ("Price", price), ("Came and settled", _came(invoice)), ("Goes back already", _goes(invoice))]
        question = "How much goes back? The buyer is asked by mail where to; then it waits until somebody agrees."
        return self._ask(request, form, title=DRAFTS[kind], question=question, button="Draft it", facts=facts, back=back)

    def _ask(self, request: HttpRequest, form: forms.Form, **context: Any) -> HttpResponse:
        values = {**self.admin_site.each_context(request), "form": form, "opts": Payout._meta, **context}
        return render(request, "payments/admin/payout_act.html", values, status=400 if form.errors else 200)
