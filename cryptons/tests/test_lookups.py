"""What Django looks up with less work is what it was before (D86 in docs/decisions.md)."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.http import HttpResponse
from django.test import override_settings
from django.urls import base as urls
from django.urls import set_script_prefix, set_urlconf
from django.utils import timezone, translation
from django.utils.translation import trans_real

from cryptons.handler import set_missing


def test_django_keeps_what_belongs_to_a_thread_in_the_places_that_the_shop_gives_it(monkeypatch):
    """Fails when an update of Django renames one of them: the shop's place would then be there, and not be used."""
    for place, name in ((caches, "_connections"), (trans_real, "_active")):  # a test that overrides settings gives them Django's again
        monkeypatch.setattr(place, name, threading.local())
    kept = {
        connections: connections._connections,  # type: ignore[attr-defined]
        caches: caches._connections,  # type: ignore[attr-defined]
        translation: trans_real._active,  # type: ignore[attr-defined]
        timezone: timezone._active,  # type: ignore[attr-defined]
        set_script_prefix: urls._prefixes,  # type: ignore[attr-defined]
        set_urlconf: urls._urlconfs,  # type: ignore[attr-defined]
    }

    def use():
        found = connections["default"], caches["default"]
        set_script_prefix("/shop/")
        set_urlconf("cryptons.urls")
        with translation.override("de"), timezone.override("Asia/Tokyo"):
            return found, {place: dict(vars(local)) for place, local in kept.items()}

    with ThreadPoolExecutor(1) as pool:  # a thread of its own has used nothing yet
        (connection, cache), used = pool.submit(use).result()

    assert {type(local) for local in kept.values()} == {threading.local}
    assert (used[connections]["default"], used[caches]["default"]) == (connection, cache)
    assert used[translation]["value"].language() == "de"
    assert used[timezone]["value"].key == "Asia/Tokyo"
    assert (used[set_script_prefix], used[set_urlconf]) == ({"value": "/shop/"}, {"value": "cryptons.urls"})


def test_threads_share_neither_language_nor_connections():
    def look():
        return translation.get_language(), connections["default"], caches["default"]

    with translation.override("de"), ThreadPoolExecutor(1) as pool:
        here, there = look(), pool.submit(look).result()

    assert (here[0], there[0]) == ("de", settings.LANGUAGE_CODE)
    assert here[1] is not there[1]
    assert here[2] is not there[2]


def test_settings_are_read_without_a_call_of_python_and_can_be_overridden():
    before = settings.SHOP_NAME

    with override_settings(SHOP_NAME="Kettles"):
        assert settings.SHOP_NAME == "Kettles"

    assert before == settings.SHOP_NAME
    assert type(settings).__getattribute__ is object.__getattribute__


def test_the_headers_of_a_response_are_listed_as_they_were_set():
    response = HttpResponse("")
    response["X-Kettle"] = "1"
    response["x-kettle"] = "2"

    assert list(response.items()) == [("Content-Type", "text/html; charset=utf-8"), ("x-kettle", "2")]


def test_a_missing_header_is_added_and_another_stays():
    response = HttpResponse("", headers={"X-Frame-Options": "SAMEORIGIN"})

    set_missing(response, {"X-FRAME-OPTIONS": "DENY", "Cache-Control": "no-store"})

    assert response.headers["x-frame-options"] == "SAMEORIGIN"
    assert response.headers["cache-control"] == "no-store"
