"""Staff see every order with its money and its time line, and move it by buttons. What would break a rule cannot be edited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.addresses import country_name
from cryptons.atomic_admin import LONGEST_SEARCH, WholeAdmin
from cryptons.formats import money
from payments.admin.payouts import draft_links
from payments.models import Invoice, Payment, Payout
from shop.errors import ShopError
from shop.models import Order, OrderLine
from shop.orders.lifecycle import change_status, release_hold
from shop.orders.timeline import read_timeline
from shop.orders.tones import PAYMENT_TONES, STATUS_TONES

Status = Order.Status


@dataclass(frozen=True)
class Act:
    """Something that staff do with an order by a button."""

    name: str
    label: str
    question: str
    done: str
    do: Callable[[UUID, str, str, datetime], Order]
    """(order id, actor, reason, at); raises ShopError."""
    fits: Callable[[Order], bool]
    """Whether the button is shown; whether it works is decided when it is pressed."""
    asks_reason: bool = False


def _to(status: str) -> Callable[[UUID, str, str, datetime], Order]:
    return lambda order_id, actor, reason, at: change_status(order_id, status, actor=actor, reason=reason, at=at)


ACTS = {
    act.name: act
    for act in (
        Act(
            "ship",
            "Mark as shipped",
            "Mark {} as shipped?",
            "shipped",
            _to(Status.SHIPPED),
            lambda order: order.status == Status.PROCESSING,
        ),
        Act(
            "deliver", "Deliver", "Mark {} as delivered?", "delivered", _to(Status.DELIVERED), lambda order: order.status == Status.SHIPPED
        ),
        Act(
            "release",
            "Release the hold",
            "Release the hold of {}?",
            "released",
            lambda order_id, actor, reason, at: release_hold(order_id, actor=actor, at=at),
            lambda order: order.on_hold,
        ),
        Act(
            "process",
            "Take into work unpaid",
            "Take {} into work although the payment has not settled?",
            "taken into work",
            _to(Status.PROCESSING),
            lambda order: order.status == Status.PENDING,
        ),
        Act(
            "cancel",
            "Cancel",
            "Cancel {} and put the things back on sale?",
            "cancelled",
            _to(Status.CANCELLED),
            lambda order: order.status in (Status.PENDING, Status.PROCESSING),
            asks_reason=True,
        ),
    )
}


class WorkFilter(admin.SimpleListFilter):
    title = "what to do"
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("ship", "To ship"), ("hold", "On hold")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "ship":
            return queryset.filter(status=Status.PROCESSING, on_hold=False)
        return queryset.filter(on_hold=True) if self.value() == "hold" else queryset


class LineInline(admin.TabularInline[OrderLine, Order]):
    model = OrderLine
    extra = 0
    can_delete = False
    verbose_name_plural = "What was ordered"
    fields = ("name", "sku", "price", "quantity", "total")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display
    def price(self, line: OrderLine) -> str:
        return money(line.price_minor, line.order.currency)

    @admin.display
    def total(self, line: OrderLine) -> str:
        return money(line.total_minor, line.order.currency)


@admin.register(Order)
class OrderAdmin(WholeAdmin[Order]):
    list_display = ("number", "placed", "email", "total", "status_badge", "payment_badge", "hold")
    list_filter = (WorkFilter, "status", "payment_status", "network", "created_at")
    search_fields = ("number", "email", "transaction_hash")
    search_help_text = "Order number, email or transaction"
    ordering = ("-created_at",)
    list_per_page = 50
    show_full_result_count = False
    change_form_template = "shop/admin/order_change.html"
    inlines = (LineInline,)
    actions = ("ship_selected", "deliver_selected", "cancel_selected", "release_selected")
    readonly_fields = ("number", "placed", "buyer", "status_badge", "payment_badge", "hold", "total", "ships_to", "money", "time_line")
    fieldsets = (
        (None, {"fields": ("number", "placed", "buyer", "status_badge", "payment_badge", "hold", "total", "ships_to")}),
        ("Money", {"fields": ("money",)}),
        ("What happened", {"fields": ("time_line",)}),
        ("For staff", {"fields": ("note",)}),
    )

    class Media:
        css = {"all": ("css/admin_orders.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        """The note alone: everything else moves through the rules, maybe at this very moment."""
        Order.objects.filter(pk=obj.pk).update(note=obj.note)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """Also by any transaction that paid it, the first or not."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()[:LONGEST_SEARCH]
        if len(term) >= 16:
            paid = Payment.objects.filter(reference__startswith=term).values_list("invoice__subject_id", flat=True)
            found = found | queryset.filter(pk__in=list(paid[:100]))
        return found, may_repeat

    # --- What is shown ---

    @admin.display(ordering="created_at")
    def placed(self, order: Order) -> str:
        return f"{order.created_at:%Y-%m-%d %H:%M}"

    @admin.display(ordering="total_minor")
    def total(self, order: Order) -> str:
        return money(order.total_minor, order.currency)

    @admin.display(description="status", ordering="status")
    def status_badge(self, order: Order) -> SafeString:
        return _badge(STATUS_TONES[order.status], order.get_status_display())

    @admin.display(description="payment", ordering="payment_status")
    def payment_badge(self, order: Order) -> SafeString:
        return _badge(PAYMENT_TONES[order.payment_status], order.get_payment_status_display())

    @admin.display(description="on hold", ordering="on_hold")
    def hold(self, order: Order) -> str:
        return _badge("danger", order.hold_reason) if order.on_hold else "–"

    @admin.display
    def buyer(self, order: Order) -> SafeString:
        page = reverse("shop:order", args=[order.access_token])
        who = f"{order.user.get_username()} · {order.email}" if order.user else f"guest · {order.email}"
        return format_html('{} · <a href="{}">the page that they see</a>', who, page)

    @admin.display
    def ships_to(self, order: Order) -> str:
        address = order.shipping_address
        country = country_name(address.get("country", ""))
        names = ("name", "street", "street2", "postalCode", "city", "region")
        return ", ".join(part for part in (*(address.get(name, "") for name in names), country) if part)

    @admin.display(description="invoice and payments")
    def money(self, order: Order) -> SafeString:
        invoices = Invoice.objects.filter(subject_id=order.pk).order_by("-created_at").prefetch_related("options", "payments")
        return render_to_string("shop/admin/_order_money.html", {"order": order, "invoices": invoices})

    @admin.display(description="time line")
    def time_line(self, order: Order) -> SafeString:
        return render_to_string("shop/admin/_order_timeline.html", {"timeline": read_timeline(order)})

    # --- What staff do ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        acts = [act for act in ACTS.values() if order and self.has_change_permission(request, order) and act.fits(order)]
        invoices = list(Invoice.objects.filter(subject_id=order.pk).order_by("-created_at")) if order else []
        more = {
            "acts": acts,
            "refunds": [link for invoice in invoices for link in draft_links(invoice, request.user)],
            "payouts": Payout.objects.filter(invoice__in=[invoice.pk for invoice in invoices]).order_by("created_at"),
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_urls(self) -> list[URLPattern]:
        return [path("<uuid:pk>/<slug:name>/do/", self.admin_site.admin_view(self.act_on_one), name="shop_order_act"), *super().get_urls()]

    def act_on_one(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """The order page's button: asks once, then does it."""
        act = ACTS.get(name)
        order = self.get_object(request, str(pk))
        if order is None:
            raise Http404("There is no such order.")
        if act is None or not self.has_change_permission(request, order):
            raise PermissionDenied
        back = reverse("admin:shop_order_change", args=[pk])
        if request.method == "POST":
            self._do(request, act, [order])
            return redirect(back)
        return self._ask(request, act, [order], back=back)

    @admin.action(description="Mark as shipped", permissions=["change"])
    def ship_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTS["ship"], orders)

    @admin.action(description="Mark as delivered", permissions=["change"])
    def deliver_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTS["deliver"], orders)

    @admin.action(description="Cancel", permissions=["change"])
    def cancel_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTS["cancel"], orders)

    @admin.action(description="Release the hold", permissions=["change"])
    def release_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTS["release"], orders)

    def _act_on_many(self, request: HttpRequest, act: Act, orders: QuerySet[Order]) -> HttpResponse | None:
        chosen = list(orders.order_by("created_at"))
        if "confirmed" in request.POST:
            self._do(request, act, chosen)
            return None
        return self._ask(request, act, chosen, back=reverse("admin:shop_order_changelist"), action=str(request.POST["action"]))

    def _ask(self, request: HttpRequest, act: Act, orders: Sequence[Order], *, back: str, action: str = "") -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": act.label,
            "act": act,
            "question": act.question.format("this order" if len(orders) == 1 else f"these {len(orders)} orders"),
            "orders": orders,
            "back": back,
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return render(request, "shop/admin/order_act.html", context)

    def _do(self, request: HttpRequest, act: Act, orders: Sequence[Order]) -> None:
        reason = request.POST.get("reason", "").replace("\x00", "")[:200]
        done = []
        for order in orders:
            try:
                changed = act.do(order.pk, request.user.get_username(), reason, timezone.now())
            except ShopError as error:
                messages.error(request, f"{order.number}: {error}")
            else:
                done.append(changed)
                self.log_change(request, changed, act.done)
        if done:
            numbers = ", ".join(order.number for order in done[:10]) + (" …" if len(done) > 10 else "")
            messages.success(request, f"{len(done)} order{'' if len(done) == 1 else 's'} {act.done}: {numbers}")


def _badge(tone: str, words: str) -> SafeString:
    return format_html('<span class="badge badge--{}">{}</span>', tone, words)
