import asyncio

import pytest

from cryptons.serving.bodies import FORM, NO_BODY, UPLOAD, BodyLimit, BodyReader, ClientGone, body_limit, discard
from cryptons.serving.refusals import BUSY, NO_LENGTH, TOO_LARGE, TOO_SLOW, Refused
from cryptons.serving.tests.exchange import Exchange

COOKIE = {"cookie": "sessionid=x"}
TOKEN = {"authorization": "Bearer x"}
CHUNKED = {"transfer-encoding": "chunked", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "limit"),
    [
        ("GET", "/", {}, NO_BODY),
        ("HEAD", "/api/products", TOKEN, NO_BODY),
        ("TRACE", "/api/products", {}, FORM),  # read, so that the answer is that there is no such method
        ("POST", "/cart/add/", COOKIE, FORM),
        ("POST", "/api/auth/login", {}, FORM),
        ("POST", "/admin/shop/product/1/change/", COOKIE, UPLOAD),
        ("POST", "/de/admin/shop/product/add/", COOKIE, UPLOAD),
        ("POST", "/admin/shop/product/1/change/", {}, FORM),
        ("POST", "/api/products/1/images", TOKEN, UPLOAD),
        ("POST", "/api/v1/products/1/images", TOKEN, UPLOAD),
        ("POST", "/api/products/1/images", {}, FORM),
        ("POST", "/de/account/verification/", COOKIE, UPLOAD),
        ("POST", "/account/verification/", {}, FORM),
        ("POST", "/search/admin/", COOKIE, FORM),
        ("PUT", "/api/products/1", TOKEN, FORM),
    ],
)
def test_each_route_has_a_limit_and_only_files_of_people_with_a_login_may_be_large(method, path, headers, limit):
    assert body_limit(method, path, headers) is limit


def read(exchange, headers, limit=FORM, reader=None):
    return asyncio.run((reader or BodyReader()).read(exchange, headers, limit))


def refused(exchange, headers, limit=FORM, reader=None):
    with pytest.raises(Refused) as raised:
        read(exchange, headers, limit, reader)
    return raised.value.reason


def test_a_body_is_read_whole():
    assert read(Exchange((b"ab", b"c")), {"content-length": "3"}) == b"abc"


def test_a_body_that_is_declared_too_large_is_refused_unread():
    exchange = Exchange((b"x",))

    assert refused(exchange, {"content-length": "1000001"}) is TOO_LARGE
    assert exchange.chunks_read == 0


def test_the_rest_of_a_refused_body_can_still_be_read():
    exchange = Exchange((b"x" * 1001, b"rest", b"of it"))

    async def refuse_and_discard():
        with pytest.raises(Refused) as raised:
            await BodyReader().read(exchange, CHUNKED, BodyLimit(1000, 5))
        await discard(raised.value.rest)

    asyncio.run(refuse_and_discard())
    assert exchange.chunks_read == 3


def test_only_so_much_of_a_refused_body_is_read(monkeypatch):
    monkeypatch.setattr("cryptons.serving.bodies.UPLOAD_BYTES", 1000)
    exchange = Exchange((b"x" * 600, b"x" * 600, b"never read"))

    asyncio.run(discard(aiter(exchange)))

    assert exchange.chunks_read == 2


def test_a_refused_body_is_read_only_for_a_while(monkeypatch):
    monkeypatch.setattr("cryptons.serving.bodies.DISCARD_SECONDS", 0.01)

    asyncio.run(asyncio.wait_for(discard(aiter(Exchange((b"x",), never_ends=True))), 60))


def test_a_body_without_a_length_is_refused_at_the_first_byte_over_the_limit():
    exchange = Exchange((b"x" * 600, b"x" * 600, b"never read"))

    assert refused(exchange, CHUNKED, BodyLimit(1000, 5)) is TOO_LARGE
    assert exchange.chunks_read == 2


def test_a_body_that_does_not_arrive_in_time_is_refused():
    assert refused(Exchange((b"x",), never_ends=True), {"content-length": "9"}, BodyLimit(10, 0.01)) is TOO_SLOW


def test_what_a_get_request_sends_is_not_used():
    assert read(Exchange((b"never read",)), {}, NO_BODY) == b""
    sent = Exchange((b"{", b"}"))
    assert read(sent, {"content-length": "2"}, NO_BODY) == b""
    assert sent.chunks_read == 2
    assert read(Exchange((b"{}",)), CHUNKED, NO_BODY) == b""


def test_a_get_request_that_sends_much_is_refused():
    large = Exchange((b"x" * 40_000, b"x" * 40_000, b"never read"))
    assert refused(large, CHUNKED, NO_BODY) is TOO_LARGE
    assert large.chunks_read == 2
    assert refused(Exchange((b"never read",)), {"content-length": "64001"}, NO_BODY) is TOO_LARGE
    assert refused(Exchange((b"x",), never_ends=True), {"content-length": "2"}, BodyLimit(0, 0.01)) is TOO_SLOW


def test_json_of_http2_needs_no_length():
    assert read(Exchange((b"{}",)), {"content-type": "application/json"}) == b"{}"


def test_a_post_without_a_body_is_not_waited_for():
    assert read(Exchange(never_ends=True), {}) == b""


def test_a_body_that_broke_off_does_not_reach_the_shop():
    with pytest.raises(ClientGone):
        read(Exchange((b"quantity=1",)), {"content-length": "11"})


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_must_have_a_length_because_a_part_of_it_looks_whole(kind):
    exchange = Exchange((b"quantity=1",))

    assert refused(exchange, {"transfer-encoding": "chunked", "content-type": kind}) is NO_LENGTH
    assert exchange.chunks_read == 0


def test_all_unfinished_bodies_together_are_limited():
    reader = BodyReader(held_bytes=10)
    held = read(Exchange((b"x" * 8,)), {"content-length": "8"}, reader=reader)

    assert refused(Exchange((b"x" * 8,)), {"content-length": "8"}, reader=reader) is BUSY
    reader.release(held)
    assert read(Exchange((b"x" * 8,)), {"content-length": "8"}, reader=reader) == held


@pytest.mark.parametrize("limit", [BodyLimit(4, 5), BodyLimit(100, 0.01)])
def test_a_refused_body_is_no_longer_held(limit):
    reader = BodyReader(held_bytes=10)
    refused(Exchange((b"x" * 8,), never_ends=True), CHUNKED, limit, reader)

    assert read(Exchange((b"x" * 10,)), {"content-length": "10"}, reader=reader) == b"x" * 10
