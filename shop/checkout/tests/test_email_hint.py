"""A mail address that looks mistyped is asked about once, and never refused."""

import re

import pytest

from shop.checkout.email_hint import COMMON, OTHERS, suggest_address
from shop.tests.factories import ADDRESS

MISTYPED = "ada@gmial.com"
HINT = "Did you mean ada@gmail.com? If ada@gmial.com is right, continue."


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("GMIAL.com", "gmail.com"),
        ("gmal.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmail.cmo", "gmail.com"),
        ("gmial.con", "gmail.com"),
        ("gnail.con", "gmail.com"),
        ("hotmial.co", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yahooo.de", "yahoo.de"),
        ("t-onlin.de", "t-online.de"),
        ("bücher.con", "bücher.com"),
        ("shop.example.con", "shop.example.com"),
    ],
)
def test_the_domain_that_was_meant_is_suggested(typed, meant):
    assert suggest_address(f"Ada.L@{typed}") == f"Ada.L@{meant}"


@pytest.mark.parametrize(
    "typed", [*COMMON, *sorted(OTHERS), "example.com", "bücher.example", "gmx.li", "wob.de", "gm.com", "company.co", "a.io"]
)
def test_a_domain_that_may_be_right_is_not_asked_about(typed):
    assert suggest_address(f"ada@{typed}") == ""


@pytest.mark.parametrize(
    "typed",
    ["yahoo.in", "yahoo.ie", "yahoo.co.in", "yahoo.com.br", "hotmail.se", "hotmail.co.jp", "outlook.dk", "protonmail.ch", "t-online.hu"],
)
def test_a_providers_domain_in_another_country_is_not_asked_about(typed):
    assert suggest_address(f"ada@{typed}") == ""


@pytest.mark.parametrize("ending", ["co", "cm", "om"])
def test_an_ending_that_looks_like_com_is_asked_about_though_a_country_has_it(ending):
    assert suggest_address(f"ada@hotmail.{ending}") == "ada@hotmail.com"


@pytest.mark.parametrize("address", ["", "ada", "@", "ada@"])
def test_what_is_no_address_is_not_asked_about(address):
    assert suggest_address(address) == ""


@pytest.mark.django_db(transaction=True)
def test_the_form_comes_back_once_with_the_hint_and_takes_either_address(client, item):
    asked = client.post("/checkout/", {**ADDRESS, "email": MISTYPED})
    assert asked.status_code == 400
    assert HINT in asked.text
    assert re.search(r'name="email" value="ada@gmail.com">\s*Use ada@gmail.com</button>', asked.text)
    kept = re.search(r'name="kept_email" value="([^"]*)"', asked.text)[1]

    assert client.post("/checkout/", {**ADDRESS, "email": MISTYPED, "kept_email": kept})["Location"] == "/checkout/payment/"
    assert MISTYPED in client.get("/checkout/payment/").text
    pressed = {**ADDRESS, "email": [MISTYPED, "ada@gmail.com"], "kept_email": kept}  # the field, then the button
    assert client.post("/checkout/", pressed)["Location"] == "/checkout/payment/"
    assert "ada@gmail.com" in client.get("/checkout/payment/").text


@pytest.mark.django_db(transaction=True)
def test_another_mistyped_address_is_asked_about_again(client, item):
    again = client.post("/checkout/", {**ADDRESS, "email": "ada@gmaik.com", "kept_email": MISTYPED})

    assert "Did you mean ada@gmail.com? If ada@gmaik.com is right, continue." in again.text
    assert 'name="kept_email" value="ada@gmaik.com"' in again.text
