"""What a new merchant is told before the shop opens."""

from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import StaffFactory
from cryptons.mail_address import read_mail_server
from payments.models import Cursor
from shop.demo.loading import load
from shop.models import Product
from shop.opening import LEGAL, opening_steps
from shop.settings.changes import change_settings
from shop.settings.models import ContentPage
from shop.settings.page_changes import add_page, hide_page, publish_page
from shop.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = ("Name and look", "Who sells", "Legal pages", "Goods", "Ways to pay", "Mails")


@pytest.fixture
def ready(settings):
    """A shop in which nothing is missing."""
    settings.PUBLIC_URL, settings.SHOP_NAME = "https://kettles.example", "Kettles"
    settings.SANDBOX, settings.BITCOIN_RPC_HOST = False, "127.0.0.1"
    settings.MAIL_SERVER, settings.STAFF_EMAIL = read_mail_server("smtp://mail.example"), ["staff@kettles.example"]
    change_settings({"company": "Kettles Ltd", "address": "1 Spout Lane", "email": "hello@kettles.example"})
    ProductFactory.create()
    for slug in LEGAL:
        publish(slug)
    Cursor.objects.create(network="BTC", answered_at="2100-01-01T00:00Z")


def publish(slug: str) -> None:
    page = add_page({"slug": slug, "texts": {"en": {"title": slug, "text": "All of it."}}}, pk=uuid4())
    publish_page(page.pk, by="kate", at=timezone.now())


def missing() -> dict[str, list[str]]:
    return {step.title: step.missing for step in opening_steps() if step.missing}


def test_a_new_shop_lacks_each_step(settings):
    settings.SHOP_NAME = "Cryptons"
    load(lambda _: None)

    assert tuple(missing()) == STEPS
    assert missing()["Goods"] == ["The demo catalogue is still for sale."]


@pytest.mark.usefixtures("ready")
def test_a_shop_in_which_nothing_is_missing_can_open(client):
    client.force_login(StaffFactory.create())

    assert missing() == {}
    assert "Nothing is missing: the shop can open." in client.get("/admin/opening/").text
    assert "Steps before the shop can open" not in client.get("/admin/").text


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost", "http://[::1]:8000", "http://kettles.example"])
def test_an_address_that_buyers_cannot_reach_safely_is_missing(settings, url):
    settings.PUBLIC_URL = url

    assert list(missing()) == ["Name and look"]


@pytest.mark.usefixtures("ready")
def test_a_node_that_does_not_answer_is_missing():
    Cursor.objects.update(failing_since="2026-01-01T00:00Z")

    assert missing() == {"Ways to pay": ["A node does not answer, or the worker does not ask it."]}


@pytest.mark.usefixtures("ready")
def test_a_shop_without_goods_is_not_ready():
    Product.objects.update(is_listed=False)

    assert missing() == {"Goods": ["There is no product for sale."]}


@pytest.mark.usefixtures("ready")
def test_a_legal_page_that_is_hidden_is_missing():
    hide_page(ContentPage.objects.get(slug="imprint").pk)

    assert missing() == {"Legal pages": ["Not published yet: Imprint."]}


def test_only_those_who_may_change_the_settings_are_shown_the_steps(client: Client):
    client.force_login(StaffFactory.create(is_superuser=False))

    assert client.get("/admin/opening/").status_code == 403
    assert "Steps before the shop can open" not in client.get("/admin/").text
