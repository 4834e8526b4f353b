import asyncio
import json
import threading
import time

import pytest

from cryptons.response_cache import Ready, distrust
from cryptons.serving.front import Front
from cryptons.serving.tests.exchange import Exchange, GivenScope, ask


class Application:
    """Keeps the environ of each call."""

    def __init__(self, *, status="200 OK", headers=(), body=b"hello"):
        self.calls = []
        self.answer = status, [("Content-Type", "text/plain"), *headers], [body]

    def __call__(self, environ, start_response):
        self.calls.append(environ | {"body": environ["wsgi.input"].read()})
        status, headers, body = self.answer
        start_response(status, headers)
        return body


def front(application, *, threads=2):
    return Front(application, threads=threads)


def test_the_application_gets_the_request_as_wsgi_says():
    application = Application()
    rows = [("content-type", "text/plain"), ("content-length", "3"), ("x-a", "1"), ("x-a", "2"), ("cookie", "a=1"), ("cookie", "b=2")]

    sent = ask(front(application), GivenScope("POST", "/ä/", rows, "q=1"), Exchange((b"abc",)))

    (environ,) = application.calls
    assert {name: environ[name] for name in ("REQUEST_METHOD", "QUERY_STRING", "REMOTE_ADDR", "SERVER_PORT", "wsgi.url_scheme")} == {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "q=1",
        "REMOTE_ADDR": "192.0.2.7",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
    }
    assert environ["PATH_INFO"] == "/ä/".encode().decode("latin-1")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"], environ["body"]) == ("text/plain", "3", b"abc")
    assert (environ["HTTP_X_A"], environ["HTTP_COOKIE"], environ["HTTP_HOST"]) == ("1,2", "a=1; b=2", "localhost")
    assert (sent.status, sent.body, sent.headers) == (200, b"hello", {"content-type": "text/plain", "server": ""})


def test_an_address_of_ipv6_reaches_the_application_without_brackets():
    application = Application()

    ask(front(application), GivenScope(client="[2001:db8::1]:4000"))

    assert application.calls[0]["REMOTE_ADDR"] == "2001:db8::1"


@pytest.mark.parametrize("name", ["x_forwarded_for", "x-forwarded_for", "x_forwarded-for"])
def test_a_header_with_an_underscore_does_not_replace_the_one_of_a_proxy(name):
    application = Application()

    ask(front(application), GivenScope(rows=[("x-forwarded-for", "192.0.2.1"), (name, "198.51.100.9")]))

    assert application.calls[0]["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"


def test_in_http2_the_authority_is_the_host():
    application = Application()

    ask(front(application), GivenScope(http_version="2", authority="shop.example"))

    assert application.calls[0]["HTTP_HOST"] == "shop.example"


def test_a_refusal_is_the_apis_envelope_under_api():
    application = Application()

    sent = ask(front(application), GivenScope("POST", "/api/auth/login", [("content-length", "5000000")]))

    assert application.calls == []
    assert (sent.status, sent.headers["connection"]) == (413, "close")
    assert json.loads(sent.body)["error"]["code"] == "PAYLOAD_TOO_LARGE"


def test_the_rest_of_a_refused_body_is_read_after_the_answer_so_that_a_proxy_gets_that():
    class Answered(Exchange):
        async def __aiter__(self):
            assert self.status == 413
            async for chunk in super().__aiter__():
                yield chunk

    sent = ask(front(Application()), GivenScope("POST", "/api/auth/login", [("content-length", "1100000")]), Answered((b"x", b"y")))

    assert sent.chunks_read == 2


def test_a_refusal_is_a_page_in_the_language_of_the_address_elsewhere():
    sent = ask(front(Application()), GivenScope("POST", "/de/cart/add/", [("content-length", "5000000")]))

    assert (sent.status, sent.headers["content-language"], sent.headers["server"]) == (413, "de", "")
    assert b'<html lang="de">' in sent.body


def test_a_health_check_that_hangs_is_a_503_and_the_next_ones_as_well_until_it_ends(monkeypatch):
    monkeypatch.setattr("cryptons.serving.front.HEALTH_SECONDS", 0.05)
    go_on = threading.Event()

    def application(environ, start_response):
        go_on.wait(60)
        start_response("200 OK", [])
        return [b"well"]

    async def probe_thrice():
        door = front(application)
        probes = [Exchange() for _ in range(3)]
        for probe in probes[:2]:
            await door.__rsgi__(GivenScope(path="/healthz"), probe)
        go_on.set()
        door._probes._seconds = 10
        await door.__rsgi__(GivenScope(path="/healthz"), probes[2])
        return [probe.status for probe in probes]

    assert asyncio.run(probe_thrice()) == [503, 503, 200]


class Hanging(Application):
    """Answers once it is told to go on."""

    def __init__(self):
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, environ, start_response):
        self.begun.set()
        self.go_on.wait(60)
        return super().__call__(environ, start_response)


def test_a_request_that_no_thread_begins_in_time_is_told_to_come_back_and_is_never_begun():
    application = Hanging()

    async def ask_all():
        door = front(application, threads=1)
        first, second, third = Exchange(), Exchange(), Exchange()
        hanging = asyncio.ensure_future(door.__rsgi__(GivenScope(path="/hangs"), first))
        await asyncio.to_thread(application.begun.wait, 60)
        door._pool._begin_seconds = 0
        await door.__rsgi__(GivenScope(path="/waits"), second)
        door._pool._begin_seconds = 10
        application.go_on.set()
        await hanging
        await door.__rsgi__(GivenScope(path="/next"), third)
        return first, second, third

    first, second, third = asyncio.run(ask_all())

    assert (first.status, second.status, second.headers["retry-after"], third.status) == (200, 503, "2", 200)
    assert [call["PATH_INFO"] for call in application.calls] == ["/hangs", "/next"]


def test_when_too_many_wait_the_next_is_told_to_come_back():
    application = Hanging()

    async def ask_all():
        door = front(application, threads=1)
        waiting = [Exchange() for _ in range(129)]
        tasks = [asyncio.ensure_future(door.__rsgi__(GivenScope(), exchange)) for exchange in waiting]
        await asyncio.to_thread(application.begun.wait, 60)
        late, probe = Exchange(), Exchange()
        await door.__rsgi__(GivenScope(), late)
        probing = asyncio.ensure_future(door.__rsgi__(GivenScope(path="/healthz"), probe))
        application.go_on.set()
        await asyncio.gather(probing, *tasks)
        return late, probe, waiting

    late, probe, waiting = asyncio.run(ask_all())

    assert (late.status, late.headers["retry-after"]) == (503, "2")
    assert probe.status == 200
    assert {exchange.status for exchange in waiting} == {200}


def test_a_failing_application_is_answered_and_logged(caplog):
    def application(environ, start_response):
        raise ValueError("a defect")

    sent = ask(front(application), GivenScope(path="/api/products"))

    assert (sent.status, json.loads(sent.body)["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "a defect" in caplog.text


def test_a_file_is_sent_by_the_server(tmp_path):
    path = tmp_path / "licence.txt"
    path.write_bytes(b"key")
    files = []

    def application(environ, start_response):
        files.append(path.open("rb"))
        start_response("200 OK", [("Content-Length", "3")])
        return environ["wsgi.file_wrapper"](files[0], 8192)

    sent = ask(front(application), GivenScope())

    assert (sent.status, sent.file, files[0].closed) == (200, str(path), True)


def test_an_answer_without_a_body_is_empty():
    sent = ask(front(Application(status="304 Not Modified", body=b"")), GivenScope())

    assert (sent.status, sent.body) == (304, b"")


def test_all_cookies_are_sent():
    sent = ask(front(Application(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])), GivenScope())

    assert sent.cookies == ["a=1", "b=2"]


def test_one_thread_makes_an_old_answer_again_for_all_who_ask_for_it():
    calls, all_have_asked = [], threading.Event()
    all_have_asked.set()
    ready = Ready("1", lambda: "1", b"page", None, "text/plain", "public", '"e"', time.monotonic_ns() + 10**12, time.monotonic_ns())

    class Answer(list):
        pass

    def application(environ, start_response):
        calls.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        answer = Answer([ready.body])
        answer.ready = ready
        all_have_asked.wait(60)
        ready.verified_at = time.monotonic_ns()
        return answer

    async def ask_all():
        door = front(application, threads=4)
        first, others = Exchange(), [Exchange() for _ in range(20)]
        await door.__rsgi__(GivenScope(), first)
        distrust()
        all_have_asked.clear()
        asked = asyncio.gather(*(door.__rsgi__(GivenScope(), exchange) for exchange in others))
        for _ in range(50):  # turns of the loop
            await asyncio.sleep(0)
        all_have_asked.set()
        await asked
        return [first, *others]

    sent = asyncio.run(ask_all())

    assert len(calls) == 2
    assert {(exchange.status, exchange.body) for exchange in sent} == {(200, b"page")}
