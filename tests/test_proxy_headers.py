"""What a proxy says of a request is believed of TRUSTED_PROXIES alone."""

import pytest
from django.core.handlers.wsgi import WSGIHandler

from cryptons.serving.front import Front
from cryptons.serving.tests.exchange import GivenScope, ask_at_once
from tests.test_ready_answers import _one_thread  # noqa: F401 (for every test here)

pytestmark = pytest.mark.django_db
SAYS_HTTPS = ("x-forwarded-proto", "https")
IS_TRUSTED = pytest.mark.parametrize("is_trusted", [True, False], ids=["of a proxy", "of a stranger"])


@pytest.fixture(autouse=True)
def _https(settings):
    """As the settings are with a PUBLIC_URL of https."""
    settings.SECURE_PROXY_SSL_HEADER, settings.SECURE_HSTS_SECONDS = ("HTTP_X_FORWARDED_PROTO", "https"), 31_536_000
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]


def front_of_an_https_shop():
    return Front(WSGIHandler(), threads=1)  # a new one, because its middleware reads the settings once


def scope(is_trusted, path, row):
    return GivenScope("GET", path, [row], client="10.0.0.1:4000" if is_trusted else "192.0.2.7:4000")


@IS_TRUSTED
@pytest.mark.parametrize("path", ["/", "/api/products", "/products/", "/account/profile/"], ids=["page", "API", "redirect", "login"])
def test_https_is_believed(path, is_trusted):
    front = front_of_an_https_shop()
    made, kept = (ask_at_once(front, scope(is_trusted, path, SAYS_HTTPS)) for _ in range(2))

    for sent in (made, kept):
        assert ("strict-transport-security" in sent.headers) == is_trusted


@IS_TRUSTED
def test_a_stranger_does_not_make_an_answer_for_the_visitors_of_a_proxy(is_trusted):
    front = front_of_an_https_shop()
    ask_at_once(front, scope(not is_trusted, "/", SAYS_HTTPS))

    assert ("strict-transport-security" in ask_at_once(front, scope(is_trusted, "/", SAYS_HTTPS)).headers) == is_trusted


@IS_TRUSTED
@pytest.mark.parametrize("proto", ["http", "https"])
def test_a_cookie_of_an_https_shop_is_secure_whatever_the_request_says(is_trusted, proto):
    sent = ask_at_once(front_of_an_https_shop(), scope(is_trusted, "/account/login/", ("x-forwarded-proto", proto)))

    assert sent.cookies
    assert all("; secure" in cookie.lower() for cookie in sent.cookies)


@IS_TRUSTED
@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_the_id_of_a_request_is_believed(path, is_trusted):
    front = front_of_an_https_shop()
    for _ in range(2):
        sent = ask_at_once(front, scope(is_trusted, path, ("x-request-id", "abcdef-123456")))
        assert (sent.headers["x-request-id"] == "abcdef-123456") == is_trusted
