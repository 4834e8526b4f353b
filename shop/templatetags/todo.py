"""The tasks of this member of staff, on the admin's home page."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.disk import read_disk
from cryptons.mail.models import Mail
from payments.models import Invoice
from payments.networks.registry import offered_networks
from payments.polling import unpolled_networks
from shop.models import Order
from shop.orders.exceptions_queue import count_stuck, failing, open_alerts, troubled_payouts, waiting_payouts

register = template.Library()


@dataclass(frozen=True)
class Task:
    words: str
    count: int
    url: str
    is_urgent: bool = True


@register.inclusion_tag("shop/admin/_todo.html", takes_context=True)
def todo(context: dict[str, Any]) -> dict[str, Any]:
    request: HttpRequest = context["request"]
    money, others = _money(request), [*_orders(request), *_mails(request)]
    return {"tasks": [task for task in (*money, *others) if task.count], "is_shown": bool(money or others), "sees_money": bool(money)}


def _money(request: HttpRequest) -> list[Task]:
    if not request.user.has_perm("payments.view_invoice"):
        return []
    queue = reverse("exceptions:queue")
    nodes = reverse("admin:payments_nodes") if request.user.has_perm("payments.view_cursor") else queue
    unpolled = len(unpolled_networks(offered_networks(), at=timezone.now()))
    return [
        Task(_("Payments to decide about"), Invoice.objects.to_decide().count(), queue),
        Task(_("Payments that are not confirmed"), count_stuck(at=timezone.now()), queue),
        Task(_("Payouts that failed, stopped or are unclear"), len(troubled_payouts()), queue),
        Task(_("Payouts to approve, sign or send"), waiting_payouts().count(), queue),
        Task(_("Networks that do not answer"), failing().count(), queue),
        Task(_("Networks that are not polled, so that payments are noticed late"), unpolled, nodes),
        Task(_("Disks that are nearly full or cannot be written"), int(bool(read_disk().problem)), nodes),
        Task(_("Alerts"), open_alerts().count(), queue),
    ]


def _orders(request: HttpRequest) -> list[Task]:
    if not request.user.has_perm("shop.view_order"):
        return []
    orders = reverse("admin:shop_order_changelist")
    return [
        Task(_("Orders on hold"), Order.objects.on_hold().count(), f"{orders}?work=hold"),
        Task(_("Orders to ship"), Order.objects.to_ship().count(), f"{orders}?work=ship", is_urgent=False),
    ]


def _mails(request: HttpRequest) -> list[Task]:
    if not request.user.has_perm("mail.view_mail"):
        return []
    late = Mail.objects.late(at=timezone.now()).count()
    return [Task(_("Mails that cannot be sent"), late, f"{reverse('admin:mail_mail_changelist')}?sent_at__isnull=True")]
