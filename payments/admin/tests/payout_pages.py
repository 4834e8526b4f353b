"""What the tests of the pages about payouts share: who looks, at which payout, on which page."""

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from accounts.tests.factories import StaffFactory
from payments.models import Invoice, Payout
from payments.tests.factories import PaymentFactory, PayoutFactory

HOME = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def staff_who_may(*permissions: str, **fields: Any) -> Client:
    """Log in a member of staff who has only these permissions."""
    staff = StaffFactory.create(is_superuser=False, **fields)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return browser_of(staff)


def paid(status: str = "settled", **fields: Any) -> Invoice:
    """Return an invoice whose full price is settled."""
    return PaymentFactory.create(status="settled", height=1, option__invoice__status=status, **fields).invoice


def payout_of(**fields: Any) -> Payout:
    """Return a payout of a paid invoice."""
    return PayoutFactory.create(invoice=paid(), **fields)


def act_path(payout: Payout, name: str) -> str:
    return f"/admin/payments/payout/{payout.pk}/act/{name}/"


def page_of(payout: Payout) -> str:
    return f"/admin/payments/payout/{payout.pk}/change/"


def draft_path(invoice: Invoice, kind: str = "refund") -> str:
    return f"/admin/payments/payout/draft/{invoice.pk}/{kind}/"


def press(browser: Client, payout: Payout, name: str, **values: Any) -> Any:
    """Open the page of an action, and send its form with these values and otherwise as it was shown."""
    form = browser.get(act_path(payout, name)).context["form"]
    shown = {field.name: field.value() for field in form if field.value() is not None}
    return browser.post(act_path(payout, name), {**shown, **values}, follow=True)
