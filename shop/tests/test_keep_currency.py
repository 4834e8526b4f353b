import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import IntegrityError

from cryptons.management.commands import prepare, serve
from cryptons.serving import preparation
from shop.models import PriceCurrency, Voucher
from shop.tests.factories import OrderFactory, ProductFactory

pytestmark = pytest.mark.django_db


def start(settings, currency: str) -> None:
    settings.CURRENCY = currency
    call_command("keep_currency")


def test_the_currency_can_change_until_there_are_products(settings):
    start(settings, "USD")
    start(settings, "JPY")
    ProductFactory()

    with pytest.raises(ImproperlyConfigured, match=r"^CURRENCY must stay JPY: .* Set CURRENCY=JPY\. Or start once with it, delete"):
        start(settings, "USD")

    start(settings, "JPY")
    assert PriceCurrency.objects.get().currency == "JPY"


def test_a_shop_of_before_keeps_the_currency_of_its_orders(settings):
    ProductFactory()
    OrderFactory(currency="EUR")

    with pytest.raises(ImproperlyConfigured, match=r"^CURRENCY must stay EUR: "):
        start(settings, "USD")

    start(settings, "EUR")
    assert PriceCurrency.objects.get().currency == "EUR"


def test_a_shop_of_before_without_orders_keeps_the_currency_of_its_settings(settings):
    ProductFactory()
    start(settings, "USD")
    with pytest.raises(ImproperlyConfigured):
        start(settings, "EUR")


def test_two_starts_at_once_keep_one_currency():
    PriceCurrency.objects.create(currency="USD")
    with pytest.raises(IntegrityError):
        PriceCurrency.objects.create(currency="EUR")


@pytest.mark.parametrize("run", [lambda: serve.prepare(demo=False), lambda: prepare.Command().handle()])
def test_each_start_looks_at_the_currency_right_after_the_migrations(run, monkeypatch):
    class Reached(Exception):
        pass

    def stop() -> None:
        raise Reached

    for name in ("check_port", "check_staff_settings", "check_system", "migrate"):
        monkeypatch.setattr(preparation, name, lambda *args: None)
    monkeypatch.setattr(preparation, "keep_currency", stop)
    with pytest.raises(Reached):
        run()


@pytest.mark.parametrize("terms", [{"amount_minor": 500}, {"percent": 10, "minimum_minor": 500}])
def test_the_currency_stays_while_a_voucher_has_an_amount(settings, terms):
    start(settings, "USD")
    voucher = Voucher.objects.create(code="SPRING", **terms)
    with pytest.raises(ImproperlyConfigured, match=r"^CURRENCY must stay USD: "):
        start(settings, "JPY")
    voucher.delete()
    start(settings, "JPY")


def test_the_currency_can_change_while_vouchers_have_only_percent(settings):
    start(settings, "USD")
    Voucher.objects.create(code="SPRING", percent=10)
    start(settings, "JPY")
    assert PriceCurrency.objects.get().currency == "JPY"
