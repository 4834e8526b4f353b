"""Orders for staff: each with its payments and its timeline, changed by buttons. What could break a rule cannot be edited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.addresses import country_name
from cryptons.admin_actions import Action, ConfirmationPage, Confirmed, ReasonField, confirm
from cryptons.atomic_admin import MAX_SEARCH_LENGTH, AtomicModelAdmin
from cryptons.audit.writing import audit
from cryptons.formats import money, short_moment
from payments.admin.payout_actions import draft_links
from payments.models import Invoice, Payment, Payout
from shop.admin.figures import download_figures
from shop.admin.order_lines import LineInline
from shop.admin.order_terms import accepted_terms
from shop.errors import ShopError
from shop.models import Order
from shop.orders.lifecycle import change_status, needs_reason, release_hold
from shop.orders.listing import find_orders, goods_in_short
from shop.orders.timeline import read_timeline
from shop.orders.tones import PAYMENT_TONES, STATUS_TONES

Status = Order.Status


@dataclass(frozen=True, kw_only=True)
class OrderAction(Action[Order]):
    """An action of staff on one order by a button, or on many by the list's menu."""

    question: Callable[[int], str]
    """For so many orders."""
    done: Callable[[int, str], str]
    """What the message says: so many orders, with these numbers."""
    permission: str = "shop.change_order"
    to: str = ""
    """The status to which it moves an order on."""


class CancelForm(forms.Form):
    reason = ReasonField(label=_("Reason for the buyer"), required=False, help_text=_("The buyer reads it in the email about this."))
    note = ReasonField(label=_("Internal note"), required=False, help_text=_("Only staff see it, in the timeline."))


class UnpaidForm(forms.Form):
    reason = ReasonField(
        label=_("Reason (the order is not safely paid)"), help_text=_("It is stored in the order's history with your name.")
    )


def _change_to(status: str) -> Callable[[Order, Confirmed], Order]:
    def change(order: Order, sent: Confirmed) -> Order:
        words = {name: sent.values.get(name, "") for name in ("reason", "note")}
        if status != Status.CANCELLED and not needs_reason(order, status):
            words["reason"] = ""  # it was given for other orders of the list
        return change_status(order.pk, status, actor=sent.actor, at=sent.at, **words)

    return change


ACTIONS = {
    action.name: action
    for action in (
        OrderAction(
            name="ship",
            label=_("Mark as shipped"),
            question=lambda count: (
                ngettext("Mark this order as shipped?", "Mark these %(count)d orders as shipped?", count) % {"count": count}
            ),
            done=lambda count, numbers: (
                ngettext("%(count)d order shipped: %(numbers)s", "%(count)d orders shipped: %(numbers)s", count)
                % {"count": count, "numbers": numbers}
            ),
            run=_change_to(Status.SHIPPED),
            to=Status.SHIPPED,
            fits=lambda order: order.status == Status.PROCESSING,
        ),
        OrderAction(
            name="deliver",
            label=_("Mark as delivered"),
            question=lambda count: (
                ngettext("Mark this order as delivered?", "Mark these %(count)d orders as delivered?", count) % {"count": count}
            ),
            done=lambda count, numbers: (
                ngettext("%(count)d order delivered: %(numbers)s", "%(count)d orders delivered: %(numbers)s", count)
                % {"count": count, "numbers": numbers}
            ),
            run=_change_to(Status.DELIVERED),
            to=Status.DELIVERED,
            fits=lambda order: order.status == Status.SHIPPED,
        ),
        OrderAction(
            name="release",
            label=_("Release the hold"),
            question=lambda count: (
                ngettext("Release the hold of this order?", "Release the hold of these %(count)d orders?", count) % {"count": count}
            ),
            done=lambda count, numbers: (
                ngettext("%(count)d order released: %(numbers)s", "%(count)d orders released: %(numbers)s", count)
                % {"count": count, "numbers": numbers}
            ),
            run=lambda order, sent: release_hold(order.pk, actor=sent.actor, at=sent.at),
            fits=lambda order: order.on_hold,
        ),
        OrderAction(
            name="process",
            label=_("Process without payment"),
            question=lambda count: (
                ngettext(
                    "Process this order although its payment has not settled?",
                    "Process these %(count)d orders although their payments have not settled?",
                    count,
                )
                % {"count": count}
            ),
            done=lambda count, numbers: (
                ngettext("%(count)d order in processing: %(numbers)s", "%(count)d orders in processing: %(numbers)s", count)
                % {"count": count, "numbers": numbers}
            ),
            run=_change_to(Status.PROCESSING),
            to=Status.PROCESSING,
            fits=lambda order: order.status == Status.PENDING,
        ),
        OrderAction(
            name="cancel",
            label=_("Cancel the order"),
            question=lambda count: (
                ngettext(
                    "Cancel this order and return its items to stock?",
                    "Cancel these %(count)d orders and return their items to stock?",
                    count,
                )
                % {"count": count}
            ),
            done=lambda count, numbers: (
                ngettext("%(count)d order cancelled: %(numbers)s", "%(count)d orders cancelled: %(numbers)s", count)
                % {"count": count, "numbers": numbers}
            ),
            run=_change_to(Status.CANCELLED),
            fits=lambda order: order.status in (Status.PENDING, Status.PROCESSING),
            form=CancelForm,
        ),
    )
}


class WorkFilter(admin.SimpleListFilter):
    title = _("to do")
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("ship", gettext("To ship")), ("hold", gettext("On hold"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "ship":
            return queryset.filter(status=Status.PROCESSING, on_hold=False)
        return queryset.filter(on_hold=True) if self.value() == "hold" else queryset


@admin.register(Order)
class OrderAdmin(AtomicModelAdmin[Order]):
    list_display = ("number", "placed", "state", "payment_badge", "total", "buyer_in_short", "goods", "hold")
    list_filter = (WorkFilter, "status", "payment_status", "network", "created_at")
    search_fields = ("number", "email", "transaction_hash")
    search_help_text = _("Order number, email, transaction, name, address, product or SKU")
    ordering = ("-created_at",)
    list_per_page = 50
    looked_up_by = ("work", "id", "status", "payment_status", "network", "created_at")
    show_full_result_count = False
    change_form_template = "shop/admin/order_change.html"
    inlines = (LineInline,)
    actions = ("ship_selected", "deliver_selected", "cancel_selected", "release_selected")
    head: Any = ("number", "placed", "buyer", "status_badge", "payment_badge", "hold", "total", "ships_to", accepted_terms)
    readonly_fields = (*head, "money", "time_line")
    fieldsets = (
        (None, {"fields": head}),
        (_("Payment"), {"fields": ("money",)}),
        (_("Timeline"), {"fields": ("time_line",)}),
        (_("For staff"), {"fields": ("note",)}),
    )

    class Media:
        css = {"all": ("css/admin_orders.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        """Save the note alone: everything else is changed by the rules, and may be changing now."""
        if "note" in form.changed_data:
            audit("change", obj, {"note": (form.initial.get("note"), obj.note)})
            Order.objects.filter(pk=obj.pk).update(note=obj.note)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).prefetch_related("lines")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        """Find orders also by any transaction that paid them, by name and address of the buyer, and by their goods."""
        orders, may_repeat = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()[:MAX_SEARCH_LENGTH]
        if len(term) >= 16:
            paid = Payment.objects.filter(reference__startswith=term).values_list("invoice__subject_id", flat=True)
            orders = orders | queryset.filter(pk__in=list(paid[:100]))
        if term:
            orders = orders | find_orders(queryset, term)
        return orders, may_repeat

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Order | None:
        """Read the order, and what else the reader may do: `money` and `buyer` have no request."""
        order = super().get_object(request, object_id, from_field)
        if order is not None:
            order.may_see_invoices = request.user.has_perm("payments.view_invoice")  # type: ignore[attr-defined]
            order.may_be_changed = request.user.has_perm("shop.change_order")  # type: ignore[attr-defined]
        return order

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Filter by what the list offers only: `?access_token__startswith=` would find out the key letter by letter."""
        return lookup.partition("__")[0] in self.looked_up_by and super().lookup_allowed(lookup, value, request)

    # --- What is shown ---

    @admin.display(description=_("placed at"), ordering="created_at")
    def placed(self, order: Order) -> str:
        return short_moment(order.created_at)

    @admin.display(description=_("status"), ordering="status")
    def state(self, order: Order) -> SafeString:
        """Show the hold as well: the column with its reason may be out of sight."""
        return format_html("{} {}", self.status_badge(order), _badge("danger", gettext("On hold")) if order.on_hold else "")

    @admin.display(description=_("buyer"), ordering="email")
    def buyer_in_short(self, order: Order) -> SafeString:
        return format_html('{}<br><span class="quiet">{}</span>', order.shipping_address.get("name", ""), order.email)

    @admin.display(description=_("products"))
    def goods(self, order: Order) -> str:
        return goods_in_short(order)

    @admin.display(description=_("total"), ordering="total_minor")
    def total(self, order: Order) -> str:
        total = money(order.total_minor, order.currency)
        if not order.discount_minor:
            return total
        values = {"total": total, "code": order.voucher_code, "discount": money(-order.discount_minor, order.currency)}
        return gettext("%(total)s (voucher %(code)s: %(discount)s)") % values

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, order: Order) -> SafeString:
        return _badge(STATUS_TONES[order.status], order.get_status_display())

    @admin.display(description=_("payment"), ordering="payment_status")
    def payment_badge(self, order: Order) -> SafeString:
        return _badge(PAYMENT_TONES[order.payment_status], order.get_payment_status_display())

    @admin.display(description=_("on hold"), ordering="on_hold")
    def hold(self, order: Order) -> str:
        return _badge("danger", order.hold_reason) if order.on_hold else "–"

    @admin.display(description=_("buyer"))
    def buyer(self, order: Order) -> SafeString:
        """The customer's page is for those who may change orders: on it one can do what the buyer can."""
        name = order.user.get_username() if order.user else gettext("guest")
        if not getattr(order, "may_be_changed", False):
            return format_html("{} · {}", name, order.email)
        page = reverse("shop:order", args=[order.access_token])
        return format_html('{} · {} · <a href="{}">{}</a>', name, order.email, page, gettext("Customer's page"))

    @admin.display(description=_("shipping address"))
    def ships_to(self, order: Order) -> str:
        address = order.shipping_address
        country = country_name(address.get("country", ""))
        names = ("name", "street", "street2", "postalCode", "city", "region")
        return ", ".join(part for part in (*(address.get(name, "") for name in names), country) if part)

    @admin.display(description=_("invoice and payments"))
    def money(self, order: Order) -> SafeString:
        invoices = Invoice.objects.filter(subject_id=order.pk).order_by("-created_at").prefetch_related("options", "payments")
        may_see_invoices = getattr(order, "may_see_invoices", False)
        context = {"order": order, "invoices": invoices, "may_see_invoices": may_see_invoices}
        return render_to_string("shop/admin/_order_money.html", context)

    @admin.display(description=_("timeline"))
    def time_line(self, order: Order) -> SafeString:
        return render_to_string("shop/admin/_order_timeline.html", {"timeline": read_timeline(order)})

    # --- What staff do ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        order = self.get_object(request, object_id)
        acts = [act for act in ACTIONS.values() if order and request.user.has_perm(act.permission) and act.fits(order)]
        invoices = list(Invoice.objects.filter(subject_id=order.pk).order_by("-created_at")) if order else []
        more = {
            "acts": acts,
            "refunds": [link for invoice in invoices for link in draft_links(invoice, request.user)],
            "payouts": Payout.objects.filter(invoice__in=[invoice.pk for invoice in invoices]).order_by("created_at"),
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("figures/", view(download_figures), name="shop_order_figures"),
            path("<uuid:pk>/<slug:name>/do/", view(self.act_on_one), name="shop_order_act"),
            *super().get_urls(),
        ]

    def act_on_one(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """Ask to confirm the action of an order page's button, and run it."""
        action = ACTIONS.get(name)
        order = self.get_object(request, str(pk))
        if order is None:
            raise Http404(gettext("There is no such order."))
        if action is None or not request.user.has_perm(action.permission):
            raise PermissionDenied
        page = self._describe(action, [order], back=reverse("admin:shop_order_change", args=[pk]))
        return confirm(request, lambda: page, lambda sent: self._run(request, action, [order], sent), refusals=())

    @admin.action(description=_("Mark as shipped"), permissions=["change"])
    def ship_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTIONS["ship"], orders)

    @admin.action(description=_("Mark as delivered"), permissions=["change"])
    def deliver_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTIONS["deliver"], orders)

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTIONS["cancel"], orders)

    @admin.action(description=_("Release the hold"), permissions=["change"])
    def release_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self._act_on_many(request, ACTIONS["release"], orders)

    def _act_on_many(self, request: HttpRequest, action: OrderAction, orders: QuerySet[Order]) -> HttpResponse | None:
        """Ask to confirm an action of the list, for the orders that were chosen, and run it. None goes back to the list."""
        chosen = list(orders.order_by("created_at"))
        hidden = [(ACTION_CHECKBOX_NAME, str(order.pk)) for order in chosen]
        hidden += [("action", str(request.POST["action"])), ("confirmed", "1")]
        page = self._describe(action, chosen, back=request.get_full_path(), hidden=hidden)
        if "confirmed" not in request.POST:
            return page.respond(request)
        return confirm(request, lambda: page, lambda sent: self._run(request, action, chosen, sent), refusals=())

    def _describe(
        self, action: OrderAction, orders: Sequence[Order], *, back: str, hidden: Sequence[tuple[str, str]] = ()
    ) -> ConfirmationPage:
        return ConfirmationPage(
            title=str(action.label),
            question=action.question(len(orders)),
            button=str(action.label),
            back=back,
            path=[(gettext("Orders"), reverse("admin:shop_order_changelist"))],
            facts=[(order.number, _order_lines(order)) for order in orders],
            form=UnpaidForm if any(needs_reason(order, action.to) and action.fits(order) for order in orders) else action.form,
            hidden=hidden,
        )

    def _run(self, request: HttpRequest, action: OrderAction, orders: Sequence[Order], sent: Confirmed) -> None:
        """Run the action for each order. Shows the error of an order that refuses it, and goes on with the others."""
        done = []
        for order in orders:
            try:
                changed = action.run(order, sent)
            except ShopError as error:
                messages.error(request, f"{order.number}: {error}")
            else:
                done.append(changed)
                self.log_change(request, changed, str(action.label))
        if done:
            numbers = ", ".join(order.number for order in done[:10]) + (" …" if len(done) > 10 else "")
            messages.success(request, action.done(len(done), numbers))


def _order_lines(order: Order) -> list[str]:
    payment = gettext("payment: %(status)s") % {"status": order.get_payment_status_display()}
    hold = gettext("on hold: %(reason)s") % {"reason": order.hold_reason} if order.on_hold else ""
    return [money(order.total_minor, order.currency), order.email, order.get_status_display(), payment, hold]


def _badge(tone: str, words: str) -> SafeString:
    return format_html('<span class="badge badge--{}">{}</span>', tone, words)
