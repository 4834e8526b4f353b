"""What the front sends without Django is what Django would have sent."""

import gzip

import pytest
from django.db import connections

from cryptons.serving.bounded_pool import BoundedPool
from cryptons.serving.front import Front
from cryptons.serving.tests.exchange import GivenScope, ask_at_once
from cryptons.wsgi import application
from shop.catalogue.changes import rebuild_search
from shop.catalogue.version import lists_changed
from shop.tests.factories import ProductFactory

EACH_TIME = {"x-request-id", "ratelimit-remaining", "ratelimit-reset"}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """The test's thread is the one that sees its transaction."""

    async def run(self, call, *args):
        return call(*args)

    monkeypatch.setattr(BoundedPool, "run", run)
    # After a request Django closes a connection that does not commit on its own. The test's must last to its end.
    monkeypatch.setattr(connections["default"], "close_if_unusable_or_obsolete", lambda: None)


class Shop:
    """A front before the shop, and how often it asked Django."""

    def __init__(self):
        self.asked = 0
        self.front = Front(self._application, threads=1)

    def _application(self, environ, start_response):
        self.asked += 1
        return application(environ, start_response)

    def get(self, path, method="GET", **headers):
        path, _, query = path.partition("?")
        return ask_at_once(
            self.front, GivenScope(method, path, [(name.replace("_", "-"), value) for name, value in headers.items()], query)
        )


@pytest.fixture
def shop(db):
    product = ProductFactory(name="Kettle", description="A kettle. " * 200)
    rebuild_search()
    shop = Shop()
    shop.product = product.get_absolute_url()
    return shop


def always(sent):
    return {name: value for name, value in sent.headers.items() if name not in EACH_TIME}


PATHS = ["/", "/search?q=kettle", "/de/", "/search/suggest?q=ket", "/api/products", "/api/categories", "product"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_ready_answer_has_the_headers_and_the_body_of_djangos(shop, path, method):
    path = shop.product if path == "product" else path
    shop.get(path)
    ready = shop.get(path, method)
    assert shop.asked == 1
    django = Shop().get(path, method)

    assert (ready.status, ready.body, always(ready)) == (django.status, django.body, always(django))
    assert EACH_TIME & set(ready.headers) == EACH_TIME & set(django.headers)


def test_a_known_answer_is_not_sent_again(shop):
    etag = shop.get("/").headers["etag"]
    ready = shop.get("/", if_none_match=etag)
    django = Shop().get("/", if_none_match=etag)

    assert shop.asked == 1
    assert (ready.status, ready.body, always(ready)) == (304, b"", always(django))


def test_a_body_is_kept_compressed_and_its_etag_is_another(shop):
    plain = shop.get("/")
    packed = shop.get("/", accept_encoding="deflate, gzip;q=0.5")
    etag = packed.headers["etag"]

    assert shop.asked == 1
    assert (packed.headers["content-encoding"], etag) == ("gzip", plain.headers["etag"][:-1] + '-gzip"')
    assert packed.headers["content-length"] == str(len(packed.body))
    assert gzip.decompress(packed.body) == plain.body
    assert "Accept-Encoding" in plain.headers["vary"]
    assert shop.get("/", if_none_match=etag).status == 304
    assert Shop().get("/", if_none_match=etag).status == 304


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "gzip; q=0.0", ""])
def test_a_client_that_wants_no_compression_gets_none(shop, accepted):
    shop.get("/")

    assert "content-encoding" not in shop.get("/", accept_encoding=accepted).headers


@pytest.mark.parametrize(
    "headers",
    [{"cookie": "sessionid=x"}, {"cookie": "a=b; sessionid=x"}, {"authorization": "Bearer x"}, {"origin": "https://shop.example"}],
)
def test_a_request_that_may_be_answered_for_one_person_reaches_django(shop, headers):
    shop.get("/")
    shop.get("/", **headers)
    shop.get("/api/products")
    shop.get("/api/products", **headers)

    assert shop.asked == 4


def test_an_answer_to_one_person_is_not_kept_for_others(shop):
    shop.get("/", cookie="sessionid=x")
    shop.get("/")

    assert shop.asked == 2


def test_a_change_in_this_process_is_seen_at_once(shop, django_capture_on_commit_callbacks):
    shop.get("/")
    with django_capture_on_commit_callbacks(execute=True):
        lists_changed()
    shop.get("/")
    shop.get("/")

    assert shop.asked == 2


def test_the_api_counts_requests_that_are_answered_ready(shop, settings):
    settings.RATE_LIMIT_API = "3/minute"
    statuses = [shop.get("/api/products").status for _ in range(5)]

    assert statuses == [200, 200, 200, 429, 429]


def test_a_request_id_of_a_proxy_is_kept(shop, settings):
    settings.TRUSTED_PROXIES = ["192.0.2.7"]
    shop.get("/")

    assert shop.get("/", x_request_id="abcdefgh12").headers["x-request-id"] == "abcdefgh12"
    assert len(shop.get("/", x_request_id="bad id").headers["x-request-id"]) == 32


def test_with_redis_the_api_is_answered_ready_too(shop, settings):
    """Requests are counted in memory, because Redis may hang."""
    shop.get("/api/products")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    sent = shop.get("/api/products")

    assert (shop.asked, sent.status, "ratelimit-remaining" in sent.headers) == (1, 200, True)
