import pytest
from django.test import RequestFactory
from django.urls import resolve
from django.utils import translation

from cryptons.handler import Handler


@pytest.mark.parametrize(
    "path",
    ["/api/orders", "/api/v1/orders", "/api/orders/0190a5b0-0000-7000-8000-000000000000/events", "/api/nothing", "/cart/", "/healthz"],
)
def test_the_handler_finds_each_time_the_view_that_django_finds(path):
    handler, expected = Handler(), resolve(path)

    for _ in range(2):
        request = RequestFactory().get(path)
        found = handler.resolve_request(request)

        assert (found.func, found.kwargs, found.route) == (expected.func, expected.kwargs, expected.route)
        assert request.resolver_match is found


def test_the_handler_finds_a_page_in_each_language_under_its_own_address():
    handler = Handler()

    with translation.override("de"):
        german = handler.resolve_request(RequestFactory().get("/de/cart/"))
    english = handler.resolve_request(RequestFactory().get("/cart/"))

    assert german.view_name == english.view_name == "shop:cart"
