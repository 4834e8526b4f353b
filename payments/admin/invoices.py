"""Staff see all facts about invoices, payments, networks and rates, and change none. What they decide is stored with name and reason."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cryptons.formats import money, plain_decimal
from cryptons.money import format_rate
from payments.admin.base import ReadOnly, ReadOnlyInline, buttons, flag_words
from payments.admin.decisions import DECISIONS, PERMISSION, decide, decision_path
from payments.admin.event_history import event_list, plain_words
from payments.admin.nodes import channels_page, nodes_page
from payments.admin.payments_list import LedgerAdmin
from payments.admin.payout_actions import DRAFTS, MAY_DRAFT, draft_path
from payments.admin.payouts import PayoutAdmin
from payments.alerts import exception_words
from payments.errors import PaymentError
from payments.invoices.refundable import staffs_kinds
from payments.models import Alert, Cursor, Invoice, Option, Payment, Payout, Rate
from payments.sync.follower import refresh_invoice


class OptionInline(ReadOnlyInline):
    model = Option
    fields = ("network", "due", "destination", "rate", "sources", "quoted_at")
    readonly_fields = fields

    @admin.display(description=_("amount due"))
    def due(self, option: Option) -> str:
        return plain_decimal(option.due_text)

    @admin.display(description=_("rate"))
    def rate(self, option: Option) -> str:
        return plain_decimal(format_rate(option.minor_per_coin, option.invoice.currency))

    @admin.display(description=_("rate sources"))
    def sources(self, option: Option) -> str:
        return "; ".join(f"{name} {plain_decimal(quote)}" for name, quote in option.rate_sources.items())


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ("network", "amount", "status", "reference", "first_seen_at", "height", "is_conflicted", "is_final")
    readonly_fields = fields

    @admin.display(description=_("amount"))
    def amount(self, payment: Payment) -> str:
        return plain_decimal(payment.amount_text)


class PayoutInline(ReadOnlyInline):
    model = Payout
    verbose_name_plural = _("payouts")
    fields = ("kind", "network", "amount", "status", "destination", "reference", "created_at", "sent_at")
    readonly_fields = fields

    @admin.display(description=_("amount"))
    def amount(self, payout: Payout) -> str:
        return plain_decimal(payout.amount_text)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly):
    list_display = ("number", "status", "flag_words", "price", "paid", "created_at", "expires_at")
    list_filter = ("status", "created_at", "is_sandbox")
    search_fields = ("label", "options__destination", "payments__reference")
    search_help_text = _("Order number, address or transaction")
    date_hierarchy = None
    fields = (
        "number",
        "status",
        "flag_words",
        "price",
        "paid",
        "safe",
        "confirmations_needed",
        "created_at",
        "expires_at",
        "settled_at",
        "override",
        "waits_for",
        "decide",
        "send_back",
        "ask_the_node",
        "history",
    )
    readonly_fields = fields
    inlines = (OptionInline, PaymentInline, PayoutInline)

    @admin.display(description=_("order"), ordering="label")
    def number(self, invoice: Invoice) -> str:
        return invoice.order_number

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Show the buttons only to users who may press them."""
        needed = {"decide": PERMISSION, "send_back": MAY_DRAFT}
        return [name for name in self.fields if name not in needed or request.user.has_perm(needed[name])]

    @admin.display(description=_("flags"))
    def flag_words(self, invoice: Invoice) -> str:
        return flag_words(invoice.flags) or "–"

    @admin.display(description=_("price"), ordering="price_minor")
    def price(self, invoice: Invoice) -> str:
        return money(invoice.price_minor, invoice.currency)

    @admin.display(description=_("received"))
    def paid(self, invoice: Invoice) -> str:
        return money(invoice.paid_seen_minor, invoice.currency)

    @admin.display(description=_("confirmed"))
    def safe(self, invoice: Invoice) -> str:
        return money(invoice.paid_safe_minor, invoice.currency)

    @admin.display(description=_("waiting for a decision"))
    def waits_for(self, invoice: Invoice) -> str:
        return exception_words(invoice) if invoice.needs_decision else gettext("No")

    @admin.display(description=_("decisions"))
    def decide(self, invoice: Invoice) -> SafeString:
        return buttons(
            (str(decision.label), decision_path(invoice.pk, decision.name)) for decision in DECISIONS.values() if decision.fits(invoice)
        )

    @admin.display(description=_("refunds"))
    def send_back(self, invoice: Invoice) -> SafeString:
        return buttons((str(DRAFTS[kind]), draft_path(invoice.pk, kind)) for kind in staffs_kinds(invoice))

    @admin.display(description=_("node"))
    def ask_the_node(self, invoice: Invoice) -> SafeString:
        return buttons([(gettext("Ask the node now"), reverse("admin:payments_invoice_ask", args=[invoice.pk]))])

    @admin.display(description=_("events"))
    def history(self, invoice: Invoice) -> SafeString:
        return event_list(invoice.pk, lambda event: plain_words(event.data, invoice.currency))

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<uuid:pk>/decide/<slug:name>/", self.admin_site.admin_view(decide), name="payments_invoice_decide"),
            path("<uuid:pk>/ask/", self.admin_site.admin_view(self.ask), name="payments_invoice_ask"),
            *super().get_urls(),
        ]

    def ask(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Ask the node about the invoice's payments now, and store what it answers."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        invoice = get_object_or_404(Invoice, pk=pk)
        try:
            count = refresh_invoice(invoice.pk, at=timezone.now())
        except PaymentError as error:
            messages.error(request, str(error))
        else:
            words = ngettext("The node knows %(count)d payment for it.", "The node knows %(count)d payments for it.", count)
            messages.info(request, words % {"count": count})
        return redirect("admin:payments_invoice_change", pk)


admin.site.register(Payout, PayoutAdmin)


@admin.register(Payment)
class PaymentAdmin(LedgerAdmin, ReadOnly):
    list_display = ("reference", "network", "amount", "status", "invoice", "first_seen_at", "height")
    search_fields = ("reference", "invoice__label")
    list_select_related = ("invoice",)

    @admin.display(description=_("amount"))
    def amount(self, payment: Payment) -> str:
        return plain_decimal(payment.amount_text)


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    list_display = ("text", "created_at", "closed_at", "closed_by")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("text",)


@admin.register(Cursor)
class CursorAdmin(ReadOnly):
    list_display = ("network", "tip_height", "answered_at", "failing_since", "last_error")
    change_list_template = "payments/admin/cursor_list.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            path("nodes/", self.admin_site.admin_view(self.nodes), name="payments_nodes"),
            path("channels/", self.admin_site.admin_view(self.channels), name="payments_channels"),
            *super().get_urls(),
        ]

    def nodes(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return nodes_page(request, self.admin_site)

    def channels(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return channels_page(request, self.admin_site)


@admin.register(Rate)
class RateAdmin(ReadOnly):
    list_display = ("coin", "currency", "price", "quoted_at", "sources")

    @admin.display(description=_("one coin costs"))
    def price(self, rate: Rate) -> str:
        return money(int(rate.minor_per_coin), rate.currency)
