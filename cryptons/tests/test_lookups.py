"""What Django looks up with less work is what it was before (D86 in docs/decisions.md)."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.http import HttpResponse
from django.test import override_settings
from django.urls import base as urls
from django.utils import timezone, translation

from cryptons.handler import set_missing


def test_django_looks_up_state_without_asking_for_an_event_loop():
    for place in (connections._connections, timezone._active, urls._prefixes, urls._urlconfs):  # type: ignore[attr-defined]
        assert isinstance(place, threading.local)


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
