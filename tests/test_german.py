"""A German shopper and German staff: the addresses below /de/ speak German from the first page to the mail."""

import re

import pytest

from accounts.tests.factories import UserFactory
from cryptons.mail.models import Mail
from cryptons.response_cache import forget_all
from shop.models import Order
from shop.tests.factories import ADDRESS, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_pages_of_other_tests():
    forget_all()
    yield
    forget_all()


def test_a_german_buyer_gets_german_pages_and_mail_from_home_page_to_payment(client):
    kettle = ProductFactory(price_minor=4_999)
    home = client.get("/de/").text
    assert "Kein Kundenkonto nötig." in home
    assert f'href="/de/p/{kettle.slug}/"' in home

    product = client.get(f"/de/p/{kettle.slug}/").text
    assert "In den Warenkorb" in product
    assert "49,99\u00a0$" in product

    added = client.post("/de/cart/add/", {"product": kettle.pk, "quantity": 2}, headers={"Sec-Fetch-Site": "same-origin"}, follow=True)
    assert added.redirect_chain[-1][0] == "/de/cart/?new"
    assert "Ihr Warenkorb" in added.text
    assert "Zur Kasse" in added.text

    assert "Lieferadresse" in client.get("/de/checkout/").text
    refused = client.post("/de/checkout/", {**ADDRESS, "email": "ada@example"}).text
    assert "Geben Sie eine gültige E-Mail-Adresse ein." in refused
    review = client.post("/de/checkout/", {**ADDRESS, "email": "ada@example.com"}, follow=True).text
    assert "Zahlungsart wählen" in review
    assert "Zahlungspflichtig bestellen: 99,98\u00a0$" in re.sub(r"\s*\n\s*", " ", review)

    form = {name: re.search(f'name="{name}" value="([^"]*)"', review)[1] for name in ("token", "agreed")}
    pay = client.post("/de/checkout/payment/", {**form, "network": "BTC"}, follow=True).text
    assert "Verbleibende Zeit" in pay
    assert '<html lang="de">' in pay
    assert re.search(r'data-plain="0\.00\d{6}">0,00\d{6}<', pay), "wallets take the amount with a point"

    placed, mail = Order.objects.get(), Mail.objects.get()
    assert mail.subject == f"Wir haben Ihre Bestellung {placed.number} erhalten"
    assert "Guten Tag" in mail.text
    assert "Status Ihrer Bestellung" in mail.text
    assert "Jetzt bezahlen" in mail.html
    assert '<html lang="de">' in mail.html


def test_form_errors_are_in_german(client):
    page = client.post("/de/account/login/", {"name": "nobody", "password": "x"})

    assert page.status_code == 400
    assert "Falscher Benutzername oder falsches Passwort." in page.text


def test_countries_have_german_names_and_are_sorted_ignoring_accents(client):
    page = client.get("/de/account/login/")
    assert page.status_code == 200
    client.force_login(UserFactory())

    names = re.findall(r'<option value="[A-Z]{2}"[^>]*>([^<]+)</option>', client.get("/de/account/address/").text)

    assert {"Deutschland", "Österreich", "Vereinigtes Königreich"} <= set(names)
    assert names.index("Österreich") < names.index("Pakistan")


def test_the_admin_is_in_german_and_links_to_english(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    page = client.get("/de/admin/").text

    assert "Bestellungen" in page
    assert "Auszahlungen" in page
    assert 'href="/de/admin/shop/order/"' in page
    assert '<a href="/admin/" lang="en" hreflang="en">English</a>' in page
    assert 'href="/de/admin/"' in client.get("/admin/").text
