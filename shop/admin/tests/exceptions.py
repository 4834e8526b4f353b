"""Orders that wait in the exceptions queue, and what staff see and press there."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import UserFactory
from payments.models import Invoice
from shop.models import Order
from shop.tests.paying import TIP, placed, run_out, tell

QUEUE = "/admin/exceptions/"


def long_ago(**more: Any) -> Order:
    return placed(at=timezone.now() - timedelta(days=2), **more)


def partial_order(**more: Any) -> Order:
    order = long_ago(**more)
    tell(order, percent=60, height=TIP - 1, reference=f"{order.pk}:0")
    run_out(order)
    return order


def late_order() -> Order:
    order = long_ago()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=timezone.now(), at=timezone.now())
    return order


def invoice_of(order: Order) -> Invoice:
    return Invoice.objects.get(subject_id=order.pk)


def shown(client: Client) -> str:
    return str(client.get(QUEUE).content.decode())


def press(client: Client, order: Order, act: str, **fields: Any) -> Any:
    invoice = invoice_of(order)
    path = f"{QUEUE}{invoice.pk}/ask/" if act == "ask" else f"/admin/payments/invoice/{invoice.pk}/decide/{act}/?next={QUEUE}"
    return client.post(path, {"version": invoice.version, "reason": "she called", "network": "BTC", **fields}, follow=True)


def staff_who_may(client: Client, *permissions: str) -> None:
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(staff)
