"""Every page of the admin that needs no row × everybody: exactly the ready groups of the table get in. A page without a line fails."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, reverse

from accounts.groups import READY_GROUPS, make_ready_groups
from accounts.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

ROOT = {"superuser"}
OWNER = {"Owner", *ROOT}
SUPPORT = {"Support", *OWNER}
CATALOGUE = {"Catalogue", *OWNER}
NODES = {"Payments", *OWNER}
BOOKS = {"Bookkeeper", *NODES}
GOODS = {"Packer", "Catalogue", *SUPPORT}
NOBODY: set[str] = set()
PAGES = {
    "accounts_apikey_add": OWNER,
    "accounts_apikey_changelist": OWNER,
    "accounts_user_add": OWNER,
    "accounts_user_changelist": SUPPORT,
    "audit_entry_add": NOBODY,
    "audit_entry_changelist": OWNER,
    "audit_entry_export": OWNER,
    "auth_group_add": ROOT,
    "auth_group_changelist": OWNER,
    "mail_mail_add": NOBODY,
    "mail_mail_changelist": SUPPORT,
    "payments_alert_add": NOBODY,
    "payments_alert_changelist": NODES,
    "payments_channels": NODES,
    "payments_cursor_add": NOBODY,
    "payments_cursor_changelist": NODES,
    "payments_invoice_add": NOBODY,
    "payments_invoice_changelist": BOOKS | SUPPORT,
    "payments_nodes": NODES,
    "payments_payment_add": NOBODY,
    "payments_payment_changelist": BOOKS | SUPPORT,
    "payments_payment_export": BOOKS | SUPPORT,
    "payments_payout_add": NOBODY,
    "payments_payout_changelist": BOOKS,
    "payments_rate_add": NOBODY,
    "payments_rate_changelist": BOOKS,
    "shop_category_add": CATALOGUE,
    "shop_category_changelist": GOODS,
    "shop_order_add": NOBODY,
    "shop_order_changelist": {"Packer", *BOOKS, *SUPPORT},
    "shop_product_add": CATALOGUE,
    "shop_product_changelist": GOODS,
    "shop_product_demo": CATALOGUE,
}
"""Who opens the page: anonymous visitors, buyers and staff without a group open none."""
OTHERS = {"login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site", "index", "app_list"}
"""Django's own, which show no rows of a model without the right to view it."""


def pages() -> Iterator[str]:
    """Yield the names of all admin pages that can be asked for without a row."""
    patterns = [*admin.site.get_urls(), *(page for model in admin.site._registry.values() for page in model.get_urls())]
    for pattern in patterns:
        if isinstance(pattern, URLPattern) and pattern.name and not pattern.pattern.converters and pattern.name not in OTHERS:
            yield pattern.name


def opens(client: Client, name: str) -> bool:
    return client.get(reverse(f"admin:{name}")).status_code == 200


def test_exactly_the_groups_of_the_table_open_each_page_of_the_admin(settings):
    settings.STAFF_TWO_FACTOR = "optional"
    make_ready_groups()
    clients = {"anonymous": Client(), "buyer": Client(), "staff": Client(), "superuser": Client()}
    clients["buyer"].force_login(UserFactory())
    clients["staff"].force_login(StaffFactory(is_superuser=False))
    clients["superuser"].force_login(StaffFactory())
    for group in READY_GROUPS:
        person = StaffFactory(is_superuser=False)
        person.groups.add(Group.objects.get(name=group))
        clients[group] = Client()
        clients[group].force_login(person)

    opened = {name: {who for who, client in clients.items() if opens(client, name)} for name in sorted(set(pages()))}
    assert opened == PAGES
