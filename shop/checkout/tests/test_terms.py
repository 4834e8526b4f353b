"""Where the shop asks for it, nobody orders without accepting the terms that are shown now; their version is kept with the order."""

import uuid

import pytest
from django.urls import reverse

from accounts.tests.factories import StaffFactory
from payments.networks.sandbox.network import SandboxNetwork
from shop.checkout.placing import order_products, place_order
from shop.checkout.tests.test_checkout_pages import fill_in, form_of
from shop.errors import TermsChanged, TermsNotAccepted
from shop.models import Order
from shop.settings.changes import change_settings, clean
from shop.settings.models import ContentPage
from shop.settings.page_changes import PageRefused, hide_page
from shop.settings.terms import terms_to_accept
from shop.settings.tests.terms_page import ask_for_terms, publish_terms
from shop.tests.factories import ADDRESS, NOW, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/checkout/payment/"
BUYER = {"email": "ada@example.com", "user": None, "address": ADDRESS, "network": "BTC", "at": NOW}


def review(client):
    fill_in(client)
    return client.get(PAGE)


def test_a_shop_that_does_not_ask_shows_no_box_and_keeps_no_version(client, item):
    version = publish_terms()
    page = review(client)
    assert 'name="terms"' not in page.text

    client.post(PAGE, {**form_of(page), "network": "BTC", "terms": str(version)})

    assert Order.objects.get().terms_id is None


def test_the_last_step_has_a_box_whose_label_leads_to_the_terms_in_a_new_tab(client, item):
    version = ask_for_terms()

    page = review(client).text

    assert f'<input type="checkbox" name="terms" id="terms" value="{version}" required>' in page
    assert '<label for="terms">' in page
    assert '<a href="/pages/terms/" target="_blank" rel="noopener">' in page


def test_the_version_that_the_buyer_accepted_is_kept_with_the_order(client, item):
    version = ask_for_terms()

    client.post(PAGE, {**form_of(review(client)), "network": "BTC", "terms": str(version)})

    assert Order.objects.get().terms_id == version


@pytest.mark.parametrize("terms", [{}, {"terms": ""}])
def test_without_the_box_nothing_is_ordered_and_the_page_says_why_at_the_box(client, item, terms):
    ask_for_terms()
    form = form_of(review(client))

    answer = client.post(PAGE, {**form, "network": "LTC", **terms})

    assert (answer.status_code, Order.objects.count()) == (400, 0)
    assert answer.text.count("Please accept the terms and conditions to place the order.") == 2
    assert 'aria-invalid="true" aria-describedby="terms_error"' in answer.text
    assert 'value="LTC" checked' in answer.text


def test_terms_that_were_published_after_the_form_was_shown_are_accepted_again(client, item):
    old = ask_for_terms()
    form = form_of(review(client))
    new = publish_terms("Other words.")

    answer = client.post(PAGE, {**form, "network": "BTC", "terms": str(old)})

    assert (answer.status_code, Order.objects.count()) == (409, 0)
    assert "The terms and conditions have changed." in answer.text
    assert f'value="{new}" required aria-invalid' in " ".join(answer.text.split())
    client.post(PAGE, {**form_of(answer), "network": "BTC", "terms": str(new)})
    assert Order.objects.get().terms_id == new


def test_a_box_that_was_checked_stays_checked_when_something_else_is_wrong(client, item):
    version = ask_for_terms()
    form = form_of(review(client))

    answer = client.post(PAGE, {**form, "terms": str(version)})

    assert "Please choose how to pay." in answer.text
    assert f'value="{version}" required checked>' in answer.text


def test_a_second_press_of_the_button_finds_its_order_although_the_terms_have_changed(client, item):
    version = ask_for_terms()
    form = {**form_of(review(client)), "network": "BTC", "terms": str(version)}
    first = client.post(PAGE, form)
    publish_terms("Other words.")

    assert client.post(PAGE, form)["Location"] == first["Location"]


def test_no_node_is_asked_for_an_order_whose_terms_are_not_accepted(item, monkeypatch):
    ask_for_terms()
    monkeypatch.setattr(SandboxNetwork, "open_destination", lambda *_: pytest.fail("asked"))

    with pytest.raises(TermsNotAccepted):
        place_order(item.cart, **BUYER)
    with pytest.raises(TermsChanged):
        order_products({ProductFactory().pk: 1}, accepted=uuid.uuid4(), **BUYER)


def test_the_switch_needs_a_published_page():
    assert clean({"asks_for_terms": True})[1] == {
        "asks_for_terms": "Publish the page of the terms first: buyers could not read what they accept."
    }
    publish_terms()
    assert clean({"asks_for_terms": True})[1] == {}


def test_terms_that_buyers_must_accept_cannot_be_hidden(client):
    ask_for_terms()
    page = ContentPage.objects.get()

    with pytest.raises(PageRefused, match="Switch that off in the settings first"):
        hide_page(page.pk)

    assert terms_to_accept() is not None
    change_settings({"asks_for_terms": False})
    assert hide_page(page.pk).published is None


def test_terms_that_are_hidden_all_the_same_stop_no_order(item):
    ask_for_terms()
    change_settings({"asks_for_terms": False})
    hide_page(ContentPage.objects.get().pk)
    change_settings({"asks_for_terms": True})

    assert place_order(item.cart, **BUYER).order.terms_id is None


def test_staff_see_on_the_order_which_version_was_accepted(client, item):
    version = ask_for_terms()
    order = place_order(item.cart, accepted=version, **BUYER).order
    publish_terms("Other words.")
    client.force_login(StaffFactory.create())

    page = client.get(reverse("admin:shop_order_change", args=[order.pk])).text

    assert f'<a href="/admin/settings/contentpage/{ContentPage.objects.get().pk}/versions/1/">Version 1, ' in page
