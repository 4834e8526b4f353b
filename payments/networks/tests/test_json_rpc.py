"""The one JSON-RPC client, against a server that says the bytes that the test wants, as slowly as it wants."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from datetime import timedelta
from decimal import Decimal

import httpcore
import pytest

from cryptons import http_deadline
from payments.errors import NodeUnavailable
from payments.networks import json_rpc
from payments.networks.json_rpc import JsonRpcClient
from payments.networks.tests.byte_server import ByteServer

SECONDS = 0.5
"""Of the deadline in the tests of it."""
SOON = 15
"""Seconds in which a call ends on any machine. Without the deadline none of these servers would let it end so soon."""


@pytest.fixture
def serve():
    servers = []

    def start(reply):
        servers.append(ByteServer(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connect():
    with contextlib.ExitStack() as clients:

        def to(url, **more):
            client = JsonRpcClient(url, node="The node", **more)
            clients.callback(client.close)
            return client

        yield to


def http(body, *, status="200 OK", content_type="application/json", more=""):
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"HTTP/1.1 {status}\r\n{kind}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def always(answer):
    return lambda connection: connection.sendall(answer)


def ask(client, seconds=10.0, path=""):
    return client.post({"method": "getblockcount", "params": [], "id": 1}, within=timedelta(seconds=seconds), path=path)


# --- what goes out and comes in ---


def test_the_request_is_posted_as_json_to_the_path_as_it_is_written(serve, connect):
    server = serve(always(http(b'{"result": 7}')))

    answer = ask(connect(server.url), path="/wallet/100%25%20caf%C3%A9%2Fb")

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /wallet/100%25%20caf%C3%A9%2Fb HTTP/1.1"
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"method": "getblockcount", "params": [], "id": 1}
    assert (answer.status, answer.content) == (200, {"result": 7})


def test_user_and_password_are_sent_as_they_are_without_percent_decoding(serve, connect):
    server = serve(always(http(b"{}")))

    ask(connect(server.url, login=("shop", "50%25:@/é")))

    assert b"Authorization: Basic c2hvcDo1MCUyNTpAL8Op\r\n" in server.requests[0]  # base64 of `shop:50%25:@/é` in UTF-8


def test_numbers_with_a_decimal_point_are_read_as_exact_decimals(serve, connect):
    server = serve(always(http(b'{"result": [20999999.97690001, 1e-8, 3]}')))

    amounts = ask(connect(server.url)).content["result"]

    assert amounts == [Decimal("20999999.97690001"), Decimal("0.00000001"), 3]
    assert [type(amount) for amount in amounts] == [Decimal, Decimal, int]


def test_the_calls_of_one_client_share_a_connection(serve, connect):
    server = serve(always(http(b"{}")))
    client = connect(server.url)

    for _ in range(3):
        ask(client)

    assert (len(server.requests), server.connections) == (3, 1)


def test_a_connection_that_the_node_closed_between_two_calls_is_opened_again(serve, connect):
    def answer_and_close(connection):
        connection.sendall(http(b"{}"))
        return False

    server = serve(answer_and_close)
    client = connect(server.url)

    ask(client)
    time.sleep(0.1)
    ask(client)

    assert (len(server.requests), server.connections) == (2, 2)


def test_the_call_after_a_timeout_does_not_read_the_late_answer(serve, connect):
    is_given_up, is_late = threading.Event(), threading.Event()

    def late(connection):
        if is_given_up.is_set():
            connection.sendall(http(b'{"result": "new"}'))
            return
        is_given_up.wait(60)
        with contextlib.suppress(OSError):
            connection.sendall(http(b'{"result": "late"}'))
        is_late.set()

    server = serve(late)
    client = connect(server.url)

    with pytest.raises(NodeUnavailable):
        ask(client, seconds=SECONDS)
    is_given_up.set()
    is_late.wait(SOON)

    assert ask(client).content == {"result": "new"}


def test_the_proxies_of_the_environment_are_not_used(serve, connect, monkeypatch):
    proxy = serve(always(http(b'{"result": "of the proxy"}')))
    server = serve(always(http(b'{"result": "of the node"}')))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)

    assert ask(connect(server.url)).content == {"result": "of the node"}
    assert proxy.requests == []


def test_a_redirect_is_not_followed(serve, connect):
    other = serve(always(http(b'{"result": "elsewhere"}')))
    server = serve(always(http(b"", status="307 Temporary Redirect", more=f"Location: {other.url}\r\n")))

    answer = ask(connect(server.url))

    assert (answer.status, answer.content, other.requests) == (307, None, [])


# --- answers that are not JSON ---


@pytest.mark.parametrize(
    "answer",
    [
        http(b'{"result": {"blocks": '),
        http(b""),
        http(b"\xff\xfe"),
        http(b'{"result": NaN}'),
        http(b"[" * 100_000),
        http(b'{"result": 7}', content_type="text/html"),
        http(b"Work queue depth exceeded", content_type="text/plain"),
    ],
    ids=["half", "empty", "not UTF-8", "NaN", "nested", "called HTML", "words"],
)
def test_an_answer_that_is_not_json_has_no_content_but_keeps_its_body(serve, connect, answer):
    server = serve(always(answer))

    received = ask(connect(server.url))

    assert received.content is None
    assert received.body == answer.partition(b"\r\n\r\n")[2]


def test_json_without_a_content_type_is_accepted(serve, connect):
    server = serve(always(http(b'{"result": 7}', content_type="")))
    assert ask(connect(server.url)).content == {"result": 7}


# --- trouble ---


def drip_the_head(server):
    return lambda connection: server().drip(connection, http(b'{"result": 7}'))


def drip_the_body(server):
    def reply(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        server().drip(connection, b" " * 1000)

    return reply


def drip_chunks(server):
    def reply(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            server().drip(connection, b"1\r\n \r\n", pause=0.02)

    return reply


def say_nothing(server):
    return lambda connection: server().stopping.wait(30)


@pytest.mark.parametrize("trouble", [drip_the_head, drip_the_body, drip_chunks, say_nothing])
def test_the_deadline_covers_the_whole_answer(serve, connect, trouble):
    server = serve(trouble(lambda: server))
    began = time.monotonic()

    with pytest.raises(NodeUnavailable, match=r"^The node does not answer in time\.$"):
        ask(connect(server.url), seconds=SECONDS)

    assert SECONDS <= time.monotonic() - began < SOON


def test_the_deadline_covers_a_node_that_does_not_read(connect):
    """The kernel accepts the connection and the first megabytes, but no program reads them."""
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(NodeUnavailable, match="in time"):
            client.post({"params": "x" * 20_000_000}, within=timedelta(seconds=SECONDS))
    assert time.monotonic() - began < SOON


def test_the_deadline_covers_a_connection_that_is_not_accepted(connect):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as queue:
            for _ in range(3):  # its queue is full then, and the kernel drops who comes later
                waiting = queue.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            began = time.monotonic()
            with pytest.raises(NodeUnavailable, match="in time"):
                ask(connect(f"http://127.0.0.1:{full.getsockname()[1]}"), seconds=SECONDS)
            assert time.monotonic() - began < SOON


def test_the_deadline_covers_the_tls_handshake(serve, connect):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(NodeUnavailable, match="in time"):
            ask(connect(f"https://127.0.0.1:{silent.getsockname()[1]}"), seconds=SECONDS)
        assert time.monotonic() - began < SOON


def test_no_request_is_sent_after_the_deadline(serve, connect):
    server = serve(always(http(b"{}")))
    with pytest.raises(NodeUnavailable, match="in time"):
        ask(connect(server.url), seconds=-1)
    assert server.requests == []


def test_a_server_without_a_trusted_certificate_is_refused(connect):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # it has no certificate at all
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                context.wrap_socket(connection, server_side=True)

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(NodeUnavailable, match=r"does not answer \(SSL"):
            ask(connect(f"https://127.0.0.1:{listener.getsockname()[1]}"))


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def reset_in_the_middle(connection):
    connection.sendall(http(b'{"result": 7}')[:-5])
    time.sleep(0.1)
    return reset(connection)


def end_in_the_middle(connection):
    connection.sendall(http(b'{"result": 7}')[:-5])
    return False


@pytest.mark.parametrize("trouble", [reset, reset_in_the_middle, end_in_the_middle, lambda connection: False])
def test_a_broken_connection_is_reported_as_no_answer_and_the_request_is_not_repeated(serve, connect, trouble):
    server = serve(trouble)

    with pytest.raises(NodeUnavailable, match=r"^The node does not answer \(\w+\)\.$"):
        ask(connect(server.url))

    assert len(server.requests) == 1


def test_an_answer_that_is_not_http_is_reported_as_no_answer(serve, connect):
    server = serve(always(b"\x00\x01\x02 not HTTP at all\r\n\r\n"))
    with pytest.raises(NodeUnavailable, match="RemoteProtocolError"):
        ask(connect(server.url))


def test_a_refused_connection_is_reported_with_the_systems_error(connect):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(NodeUnavailable, match="ConnectionRefusedError"):
        ask(connect(f"http://127.0.0.1:{port}"))


def test_a_host_that_cannot_be_resolved_is_reported_with_the_systems_error(connect, monkeypatch):
    def fail(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(http_deadline.socket, "getaddrinfo", fail)
    with pytest.raises(NodeUnavailable, match="gaierror"):
        ask(connect("http://node.invalid"))


def test_the_next_address_of_a_host_is_tried_when_the_first_refuses(serve, connect, monkeypatch):
    server = serve(always(http(b'{"result": 7}')))
    port = int(server.url.rpartition(":")[2])
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(http_deadline.socket, "getaddrinfo", lambda *args, **kwargs: found)

    assert ask(connect(f"http://node.example:{port}")).content == {"result": 7}


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://127.0.0.1:notaport", "127.0.0.1"])
def test_an_invalid_url_is_reported_as_no_answer(connect, url):
    with pytest.raises(NodeUnavailable):
        ask(connect(url))


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_that_is_too_large_is_given_up_before_it_is_read(serve, connect, monkeypatch, chunked):
    monkeypatch.setattr(json_rpc, "MOST_BYTES", 1024 * 1024)
    sent = []

    def flood(connection):
        length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 100000000"
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n\r\n".encode())
        for _ in range(100):
            connection.sendall(b"f4240\r\n" * chunked + b" " * 1_000_000 + b"\r\n" * chunked)
            sent.append(1)

    with pytest.raises(NodeUnavailable, match="more than 1 MiB"):
        ask(connect(serve(flood).url))

    assert len(sent) < 50


def test_compressed_answers_are_not_requested(serve, connect):
    """A few compressed kilobytes could expand to gigabytes."""
    server = serve(always(http(b"{}")))
    ask(connect(server.url))
    assert b"Accept-Encoding: identity\r\n" in server.requests[0]


def test_the_transport_still_uses_the_backend_with_the_deadline(connect):
    """httpx has no public setting for it: a new version may look elsewhere."""
    transport = connect("http://127.0.0.1")._http._transport
    assert isinstance(transport._pool, httpcore.ConnectionPool)
    assert isinstance(transport._pool._network_backend, http_deadline._Backend)
