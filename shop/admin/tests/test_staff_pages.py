"""What staff see in the admin when a page is refused, how times are written there, and where the menu leads."""

import io
import logging

import pytest
from django.contrib.auth.models import Permission
from django.utils.translation import override

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.logs import WithoutRefusals
from cryptons.mail.models import Mail
from shop.tests.factories import NOW, OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def packer(client):
    packer = UserFactory(is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(packer)
    return packer


@pytest.mark.parametrize(
    ("path", "status"),
    [("/admin/payments/payout/", 403), ("/admin/exceptions/", 403), ("/admin/nowhere/", 404)],
)
@pytest.mark.parametrize("prefix", ["", "/de"])
def test_a_refused_page_of_the_admin_looks_like_the_admin(client, packer, path, status, prefix):
    answer = client.get(prefix + path)
    assert answer.status_code == status
    assert f'href="{prefix}/admin/"' in answer.text
    assert 'role="search"' not in answer.text


def test_buyers_and_guests_see_no_page_of_the_admin_when_it_is_refused(client):
    for _ in range(2):
        assert "nav-sidebar" not in client.get("/admin/nowhere/", follow=True).text
        client.force_login(UserFactory())


def test_a_refusal_leaves_no_traceback_in_the_log(client, packer):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(WithoutRefusals())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        client.get("/admin/payments/payout/")
        logger.error("broken", exc_info=ValueError("a fault"), extra={"status_code": 500})
    finally:
        logger.removeHandler(handler)
    refused, _, fault = stream.getvalue().partition("broken")
    assert "Forbidden" in refused
    assert "Traceback" not in refused
    assert "a fault" in fault


@pytest.mark.parametrize(("language", "prefix", "moment"), [("en", "", "1 Nov 2026, 13:00 CET"), ("de", "/de", "01.11.2026, 13:00 CET")])
def test_times_in_the_admin_have_one_style_with_the_zone(client, settings, language, prefix, moment):
    settings.TIME_ZONE = "Europe/Berlin"
    client.force_login(StaffFactory())
    mail = Mail.objects.create(key="x", to="ada@example.com", subject="x", text="x", html="x", created_at=NOW)
    with override(language):
        assert moment in client.get(f"{prefix}/admin/mail/mail/").text
        assert moment in client.get(f"{prefix}/admin/mail/mail/{mail.pk}/change/").text


def test_exceptions_and_nodes_are_in_the_menu_of_those_who_may_see_them(client, packer):
    order = OrderFactory()
    page = client.get(f"/admin/shop/order/{order.pk}/change/").text
    assert "/admin/exceptions/" not in page
    packer.user_permissions.add(*Permission.objects.filter(codename__in=("view_invoice", "view_cursor")))
    page = client.get(f"/admin/shop/order/{order.pk}/change/").text
    assert 'href="/admin/exceptions/"' in page
    assert 'href="/admin/payments/cursor/nodes/"' in page
    assert 'href="/admin/exceptions/" aria-current="page"' in client.get("/admin/exceptions/").text
