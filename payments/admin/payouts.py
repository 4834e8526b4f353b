"""Staff see payouts, and act on them by buttons; each leads to a page that asks to confirm (payments.admin.payout_actions)."""

import base64
import binascii
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.coins import LIGHTNING
from cryptons.formats import clock, coins
from cryptons.money import UNITS
from payments.admin.base import ReadOnly, buttons
from payments.admin.event_history import event_list
from payments.admin.payout_actions import (
    ACTIONS,
    MAY_ACT,
    act,
    action_links,
    amount_words,
    attention_words,
    draft,
    people_words,
    value_words,
)
from payments.confirmations import FINAL_DEPTH
from payments.invoices.refundable import NOT_SENT_YET
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.payouts.fees import fee_words
from payments.payouts.workflow import approval_problem

Status = Payout.Status


class PayoutAdmin(ReadOnly):
    list_display = ("created_at", "label", "amount", "value", "kind", "status", "people", "error")
    list_display_links = ("created_at", "label")
    list_filter = ("status", "network", "kind", "created_at")
    search_fields = ("invoice__label", "reference", "destination")
    fields = (
        "label",
        "order",
        "amount",
        "value",
        "kind",
        "status",
        "attention",
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
        """Show the buttons only to users who may press them, and the way out only where one is needed."""
        hidden = {"label"} if request.user.has_perm("payments.view_invoice") else {"order"}
        if not request.user.has_perm(MAY_ACT):
            hidden.add("acts")
        if not (isinstance(obj, Payout) and obj.status == Status.UNKNOWN and obj.network != LIGHTNING):
            hidden.add("way_out")
        if isinstance(obj, Payout):
            hidden.add("error" if attention_words(obj) else "attention")
        return [name for name in self.fields if name not in hidden]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Read the payout, with the name of who looks at it: `acts` has no request."""
        payout = super().get_object(request, object_id, from_field)
        if payout is not None:
            payout.viewer = request.user.get_username()  # type: ignore[attr-defined]
        return payout

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("invoice")

    @admin.display(description=_("order"))
    def label(self, payout: Payout) -> str:
        return payout.invoice.order_number

    @admin.display(description=_("order"))
    def order(self, payout: Payout) -> SafeString:
        """Link to the invoice, for users who may see invoices."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:payments_invoice_change", args=[payout.invoice_id]), payout.invoice.order_number
        )

    @admin.display(description=_("amount"))
    def amount(self, payout: Payout) -> str:
        return amount_words(payout)

    @admin.display(description=_("value"), ordering="value_minor")
    def value(self, payout: Payout) -> str:
        return value_words(payout)

    @admin.display(description=_("network fee"))
    def fee(self, payout: Payout) -> str:
        if payout.status in NOT_SENT_YET:
            return " ".join(fee_words(payout))
        return "–" if payout.fee_base is None else f"{coins(payout.fee_base, payout.network)} {UNITS[payout.network].symbol}"

    @admin.display(description=_("drafted by"))
    def people(self, payout: Payout) -> str:
        return people_words(payout)

    @admin.display(description=_("attention"))
    def attention(self, payout: Payout) -> str:
        return attention_words(payout)

    @admin.display(description=_("actions"))
    def acts(self, payout: Payout) -> SafeString:
        name = getattr(payout, "viewer", "")
        links = action_links(payout, name)
        if payout.status == Status.APPROVED and payout.psbt:
            links.insert(0, (gettext("Download the transaction (PSBT)"), reverse("admin:payments_payout_psbt", args=[payout.pk])))
        problem = approval_problem(payout, name) if payout.status == Status.DRAFT and payout.destination else ""
        return format_html("{}<p>{}</p>", buttons(links), problem) if problem else buttons(links)

    @admin.display(description=_("how to abandon it"))
    def way_out(self, payout: Payout) -> SafeString:
        """Explain how to make the signed transaction invalid. Calling it off is not enough: it could be sent as well as a new one."""
        spent = format_html_join(", ", "<code>{}</code>", ((coin,) for coin in chain_payouts.coins_of(payout.psbt)))
        next_try = gettext("The next try is at %(time)s.") % {"time": clock(payout.next_try_at)} if payout.next_try_at else ""
        return format_html(
            "<p>{} {}</p><p>{}</p><ol><li>{}</li><li>{}</li></ol>",
            gettext(
                "The transaction is signed, and it stays valid until one of the coins that it spends is spent elsewhere. The shop keeps "
                "offering it to the node; as soon as the node accepts it, it is sent."
            ),
            next_try,
            gettext("To prevent that:"),
            format_html(
                gettext("In the wallet that holds it, send {} to an address of that same wallet, with a fee that gets it into a block."),
                spent or gettext("a coin that it spends"),
            ),
            gettext(
                "Wait until that transaction is %(depth)s blocks deep. The shop then notices it, or at once when you press “%(button)s”: "
                "this payout fails, and the money can be refunded by a new one."
            )
            % {"depth": FINAL_DEPTH, "button": ACTIONS["again"].label},
        )

    @admin.display(description=_("events"))
    def history(self, payout: Payout) -> SafeString:
        return event_list(payout.pk, lambda event: event.data.get("reason") or event.data.get("error") or "")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/act/<slug:name>/", view(act), name="payments_payout_act"),
            path("<uuid:pk>/psbt/", view(psbt), name="payments_payout_psbt"),
            path("draft/<uuid:invoice_id>/<slug:kind>/", view(draft), name="payments_payout_draft"),
            *super().get_urls(),
        ]


def psbt(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the unsigned transaction of an approved payout as a file."""
    if not request.user.has_perm(MAY_ACT):
        raise PermissionDenied
    payout = get_object_or_404(Payout.objects.exclude(psbt=""), pk=pk, status=Status.APPROVED)
    try:
        raw = base64.b64decode(payout.psbt, validate=True)
    except binascii.Error as error:
        raise Http404(gettext("There is nothing to sign.")) from error
    return HttpResponse(
        raw,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="payout-{payout.pk}.psbt"', "Cache-Control": "no-store"},
    )
