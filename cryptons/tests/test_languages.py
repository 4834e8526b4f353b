import re

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from django.utils import translation

from cryptons.db import new_id
from cryptons.languages import LanguageMiddleware, language_of, path_of, twins


@pytest.mark.parametrize(
    ("path", "language"),
    [("/", "en"), ("/cart/", "en"), ("/de/", "de"), ("/de", "de"), ("/de/cart/", "de"), ("/delta/", "en"), ("/fr/", "en"), ("*", "en")],
)
def test_the_language_is_read_from_the_first_part_of_the_path(path: str, language: str):
    assert language_of(path) == language


def test_pages_in_the_default_language_have_no_prefix(settings):
    settings.LANGUAGES, settings.LANGUAGE_CODE = [("de", "Deutsch"), ("en", "English")], "de"

    assert [language_of(path) for path in ("/cart/", "/en/cart/", "/de/cart/")] == ["de", "en", "de"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/cart/", "/account/login/", "/search?page=1&q=kettle", "/"])
def test_a_page_names_its_language_and_links_its_translations(client, settings, path: str):
    english, german = client.get(path), client.get(f"/de{path}")

    for page, language in ((english, "en"), (german, "de")):
        assert page.status_code == 200
        assert f'<html lang="{language}">' in page.text
        assert page["Content-Language"] == language
        links = dict(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)">', page.text))
        address = path.replace("&", "&amp;")
        assert links == {
            "en": settings.PUBLIC_URL + address,
            "de": f"{settings.PUBLIC_URL}/de{address}",
            "x-default": settings.PUBLIC_URL + address,
        }
        assert re.findall(r'<a href="([^"]+)" lang="[a-z]+"', page.text) == [address, f"/de{address}"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/search"])
def test_the_accept_language_header_does_not_change_a_page(client, path: str):
    page = client.get(path, headers={"Accept-Language": "de"})

    assert '<html lang="en">' in page.text
    assert "Accept-Language" not in page.get("Vary", "")
    assert client.get(path, headers={"Accept-Language": "en"}).content == page.content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/search"])
def test_pages_are_cached_separately_for_each_language(client, path: str):
    assert [client.get(prefix + path).text.count('<html lang="de">') for prefix in ("", "/de", "", "/de")] == [0, 1, 0, 1]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/fr/", "/en/", "/de/de/", "/de/api/products", "/de/healthz", "/de-at/cart/"])
def test_an_unknown_language_prefix_is_not_found(client, path: str):
    assert client.get(path).status_code == 404


@pytest.mark.django_db
def test_a_404_page_links_no_translations(client):
    page = client.get("/de/nothing/")

    assert page.status_code == 404
    assert '<html lang="de">' in page.text
    assert 'rel="alternate"' not in page.text


@pytest.mark.django_db
def test_links_and_redirects_keep_the_language(client):
    assert client.get("/de/checkout/").headers["Location"] == "/de/cart/"
    assert client.get("/de/account/").headers["Location"] == "/de/account/login/?next=/de/account/"
    assert client.get("/de/admin/").headers["Location"] == "/de/admin/login/?next=/de/admin/"
    assert client.get("/de/admin/login/?next=/de/admin/").headers["Location"] == "/de/account/login/?next=/de/admin/"
    assert not re.findall(r'(?:href|action|hx-get)="/(?!de/|de"|static/|api/|search|"|cart/")', client.get("/de/cart/").text)


@pytest.mark.django_db
def test_the_api_answers_in_english_when_the_client_prefers_another_language(client):
    answer = client.get("/api/auth/profile", headers={"Accept-Language": "de"})

    assert answer.json()["error"]["message"].isascii()
    assert "Content-Language" not in answer


def test_a_shop_with_one_language_has_no_language_switch(settings):
    settings.LANGUAGES = [("en", "English")]

    assert twins(RequestFactory().get("/cart/")) == []


def test_the_link_to_a_translation_cannot_lead_to_another_site():
    request = RequestFactory().get("/")
    request.path_info = "/de//evil.example/ä"

    assert [twin.path for twin in twins(request)] == ["/%2Fevil.example/%C3%A4", "/de//evil.example/%C3%A4"]


def test_the_language_of_a_request_does_not_carry_over_to_the_next_one():
    seen = []

    def answer(request):
        seen.append((translation.get_language(), reverse("shop:cart")))
        return HttpResponse("ok")

    respond = LanguageMiddleware(answer)
    for path in ("/de/cart/", "/cart/", "/api/products"):
        respond(RequestFactory().get(path))

    assert seen == [("de", "/de/cart/"), ("en", "/cart/"), ("en", "/cart/")]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_path_of_one_thing_is_what_django_reverses(language):
    for view, key in (("shop:pay", new_id()), ("shop:order", "A-key_0"), ("shop:order", "0")):
        with translation.override(language):
            reversed_path = reverse(view, args=[key])
            assert path_of(view, key) == reversed_path
        assert path_of(view, key, language) == reversed_path
