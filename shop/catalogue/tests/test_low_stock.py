"""Staff are told once when a product runs low."""

from datetime import timedelta

import pytest

from cryptons.mail.models import Mail
from shop.catalogue.low_stock import AGAIN_AFTER, tell_of_low_stock
from shop.models import LOW_STOCK, Product
from shop.tasks import watch_stock
from shop.tests.factories import NOW, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staff(settings):
    settings.STAFF_EMAIL = ["grace@example.com"]


def test_staff_get_one_list_of_the_products_that_are_newly_low():
    ProductFactory(name="Kettle", sku="K-1", stock=LOW_STOCK)
    ProductFactory(name="Pot", stock=0)
    ProductFactory(name="Cup", stock=LOW_STOCK + 1)
    ProductFactory(name="Jug", stock=1, is_listed=False)

    assert tell_of_low_stock(at=NOW) == 2
    assert tell_of_low_stock(at=NOW + AGAIN_AFTER * 3) == 0

    mail = Mail.objects.get()
    assert mail.subject == "2 products are running low"
    assert f"Kettle (K-1): {LOW_STOCK} left" in mail.text
    assert "Pot" in mail.text
    assert "Cup" not in mail.text
    assert "Jug" not in mail.text


def test_each_crossing_is_told_but_at_most_once_a_day():
    ProductFactory(stock=1)
    tell_of_low_stock(at=NOW)
    for after, stock, is_told in (
        (timedelta(hours=1), LOW_STOCK + 1, 0),
        (timedelta(hours=2), 1, 0),
        (timedelta(hours=25), LOW_STOCK + 1, 0),
        (timedelta(hours=26), 1, 1),
        (timedelta(hours=27), 0, 0),
    ):
        Product.objects.update(stock=stock)
        assert tell_of_low_stock(at=NOW + after) == is_told


def test_a_shop_without_addresses_or_without_this_kind_of_mail_remembers_nothing(settings):
    ProductFactory(stock=1)
    settings.STAFF_MAILS = ["orders"]
    watch_stock()
    settings.STAFF_EMAIL, settings.STAFF_MAILS = [], ["stock"]
    watch_stock()
    settings.STAFF_EMAIL = ["grace@example.com"]
    watch_stock()
    assert Mail.objects.get().subject == "1 product is running low"
