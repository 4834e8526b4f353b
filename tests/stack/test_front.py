"""The front of the running shop: what strangers send slowly, halfway or too large stops nobody else."""

import errno
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import LONGEST, PATIENCE, ROOT, Shop, children, command, data_of_a_first_start, free_port, wait_for
from tests.servers import Server, redis_server, running
from tests.stack.buying import Bought, buy, buy_as_a_guest, order, stock_product
from tests.stack.streaming import BLOCK, BLOCKS
from tests.stack.test_serve import family

HALF_A_BODY = "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Length: 900000\r\nContent-Type: {type}\r\n\r\nproduct=1&"
PATIENT_SECONDS = 3 * PATIENCE
"""What a shopper may wait while the shop is in trouble."""
CHUNKED = "POST /api/auth/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("shop"), "--no-demo")
    shutil.copytree(data_of_a_first_start(), shop.data)
    shop.start()
    yield shop
    if shop.process is not None and shop.process.poll() is None:
        shop.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Server]]:
    """Two web processes, and Redis."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("REDIS_URL", raising=False)  # one of our own, that can be stopped
        with running(redis_server) as redis:
            limits = {"RATE_LIMIT_API": "100/15minutes", "RATE_LIMIT_KEY": "600/15minutes", "TRUSTED_PROXIES": "127.0.0.1"}
            shop = Shop(tmp_path_factory.mktemp("cluster"), "--no-demo", WEB_WORKERS="2", **limits, **redis.settings)
            shop.http.event_hooks["request"].append(come_from_anywhere)
            shutil.copytree(data_of_a_first_start(), shop.data)
            shop.start()
            yield shop, redis
            shop.stop()


def come_from_anywhere(request: httpx.Request) -> None:
    """Let a request come from an address of its own, so that it is the first one of its limit."""
    request.headers["X-Forwarded-For"] = f"2001:db8:{secrets.randbelow(2**16):x}:{secrets.randbelow(2**16):x}::1"


def connect(shop: Shop, text: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", shop.port), timeout=LONGEST)
    connection.sendall(text.encode())
    return connection


def half_a_body(shop: Shop, path: str, kind: str) -> socket.socket:
    return connect(shop, HALF_A_BODY.format(path=path, host=f"127.0.0.1:{shop.port}", origin=shop.url, type=kind))


def test_half_sent_bodies_and_headers_stop_nothing(shop: Shop):
    product = stock_product(shop, stock=5)
    with ExitStack() as open_connections:
        for _ in range(30):
            open_connections.enter_context(half_a_body(shop, "/cart/add/", FORM))
            open_connections.enter_context(half_a_body(shop, "/api/auth/login", JSON))
        for _ in range(200):
            open_connections.enter_context(connect(shop, f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{shop.port}\r\nX-Slow: "))

        for path in ("/healthz", "/", "/account/login/", "/checkout/"):
            assert shop.http.get(path, timeout=PATIENT_SECONDS).status_code in (200, 302)
        pay_page, browser = buy_as_a_guest(shop, product)
        assert browser.get(pay_page, timeout=PATIENT_SECONDS).status_code == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(shop: Shop):
    with connect(shop, f"POST /cart/add/ HTTP/1.1\r\nHost: 127.0.0.1:{shop.port}\r\nContent-Length: 400000000\r\n\r\n") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_is_too_large_is_answered_also_when_it_is_sent_whole(shop: Shop):
    for size in (1_100_000, 9_000_000) * 5:
        head = f"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1:{shop.port}\r\nContent-Length: {size}\r\n\r\n"
        with connect(shop, head) as connection:
            connection.sendall(b"x" * size)
            assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_when_it_grows_too_large(shop: Shop):
    with connect(shop, f"{CHUNKED}Host: 127.0.0.1:{shop.port}\r\n\r\n") as connection:
        for _ in range(20):
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            connection.settimeout(0.05)
            try:
                answer = connection.recv(1000)
                break
            except TimeoutError:
                connection.settimeout(LONGEST)
        else:
            answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_export_is_streamed_to_staff(shop: Shop):
    exported = shop.http.get("/api/payments", params={"format": "csv"}, headers=shop.staff())

    assert (exported.status_code, exported.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert exported.text.count("\n") >= 1


@pytest.fixture
def export_server(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The address of a web server that answers each request with 60 MB, and the process that answers."""
    port = free_port()
    environment = {**os.environ, "CRYPTONS_DOTENV": "off", "DATA_DIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-m", "tests.stack.streaming", str(port)], cwd=ROOT, env=environment) as server:
        url = f"http://127.0.0.1:{port}/"
        try:
            wait_for("the server", lambda: is_whole(url))
            (process,) = children(server.pid)
            yield url, process
        finally:
            server.terminate()


def is_whole(url: str) -> bool:
    try:
        return len(httpx.get(url, timeout=LONGEST).content) == BLOCKS * len(BLOCK)
    except httpx.ConnectError:
        return False


def test_clients_that_do_not_read_their_exports_take_neither_memory_nor_threads(export_server: tuple[str, int]):
    url, process = export_server
    before, files = megabytes(process), open_files(process)

    with ExitStack() as clients:
        for _ in range(5):  # more than there are threads
            assert clients.enter_context(httpx.stream("GET", url, timeout=LONGEST)).status_code == 200
        assert is_whole(url)
        assert megabytes(process) - before < 60
    wait_for("the files of those who left to be closed", lambda: open_files(process) <= files)


def test_on_sigterm_streams_of_events_end_at_once_and_the_server_with_them(export_server: tuple[str, int]):
    url, process = export_server
    with httpx.stream("GET", f"{url}events", timeout=LONGEST) as stream:
        lines = stream.iter_lines()
        assert [next(lines) for _ in range(4)] == ["retry: 3000", "", "event: change", "id: 1"]

        os.kill(process, signal.SIGTERM)

        assert list(lines) == ["data: now", ""]
    wait_for("the server to end", lambda: not Path(f"/proc/{process}").exists(), seconds=8)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_web_process_that_is_killed_loses_no_acknowledged_order_and_comes_back(cluster: tuple[Shop, Server]):
    shop, _redis = cluster
    product = stock_product(shop, stock=500)
    shop.buyer()
    before = web_processes(shop)
    assert len(before) == 2

    with ThreadPoolExecutor(8) as buyers:
        asked = [buyers.submit(order_if_possible, shop, product) for _ in range(60)]
        wait_for("the first orders", lambda: sum(each.done() for each in asked) > 15)
        os.kill(min(before), signal.SIGKILL)
        answers = [answer for each in asked if (answer := each.result())]

    acknowledged = [answer.json()["data"]["id"] for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert len(acknowledged) > 30
    assert {shop.get(f"/api/orders/{each}", headers=shop.buyer())["status"] for each in acknowledged} == {"pending"}
    wait_for("the killed process to be replaced", lambda: len(web_processes(shop)) == 2 and min(before) not in web_processes(shop))


def web_processes(shop: Shop) -> set[int]:
    """The processes that serve, which are children of the one that holds them."""
    holder = shop.child("web")
    return {pid for pid in children(holder) if "resource_tracker" not in command(pid)} if holder else set()


def order_if_possible(shop: Shop, product: str) -> httpx.Response | None:
    """The answer to an order; None if the connection broke, and nothing was acknowledged."""
    try:
        return order(shop, product)
    except httpx.TransportError:
        return None


def test_all_processes_count_the_requests_of_an_address_and_of_a_key_together(cluster: tuple[Shop, Server]):
    shop, _redis = cluster
    addresses = (f"203.0.113.{number}" for number in count(1))

    def statuses(times: int, headers: dict[str, str]) -> Counter[int]:
        """Each request on a connection of its own, which either process may take."""
        with ThreadPoolExecutor(4) as clients:
            return Counter(
                clients.map(lambda _: httpx.get(f"{shop.url}/api/rates", headers=headers, timeout=LONGEST).status_code, range(times))
            )

    def of_an_address() -> bool:
        return statuses(110, {"X-Forwarded-For": next(addresses)}) == {200: 100, 429: 10}

    def of_a_key() -> bool:
        made = shop.http.post("/api/api-keys", json={"name": "ERP", "scopes": ["orders:read"]}, headers=shop.staff())
        assert made.status_code == 201, made.text
        key = made.json()["data"]["key"]
        return statuses(605, {"X-Forwarded-For": next(addresses), "Authorization": f"Bearer {key}"}) == {200: 600, 429: 5}

    # Tried again, because a process counts alone for two seconds when a busy Redis does not answer within half a second.
    wait_for("the requests of an address to be counted together", of_an_address)
    wait_for("the requests of a key to be counted together", of_a_key)
    assert statuses(1, {"X-Forwarded-For": next(addresses)}) == {200: 1}


def test_ready_answers_go_on_while_redis_hangs(cluster: tuple[Shop, Server]):
    shop, redis = cluster
    paths = ("/", "/search", "/api/products", "/healthz")
    for path in paths * 8:  # so that each process has them
        assert shop.http.get(path).status_code == 200

    os.kill(redis.pid, signal.SIGSTOP)
    try:
        for path in paths * 50:
            assert shop.http.get(path, timeout=PATIENT_SECONDS).status_code == 200
    finally:
        os.kill(redis.pid, signal.SIGCONT)
    wait_for("Redis to be used again", lambda: order(shop, stock_product(shop, stock=5)).status_code == 201)


def test_events_reach_the_streams_of_all_processes(cluster: tuple[Shop, Server]):
    shop, _redis = cluster
    bought = buy(shop, stock_product(shop, stock=5))

    with ExitStack() as clients:
        streams = [follow(clients, shop, bought) for _ in range(8)]  # each on a connection of its own, which either process may take
        assert {next(stream)["order"]["status"] for stream in streams} == {"pending"}
        moved = {"status": "processing", "reason": "A friend."}
        assert shop.http.put(f"/api/orders/{bought.id}/status", headers=shop.staff(), json=moved).status_code == 200
        assert {next(stream)["order"]["status"] for stream in streams} == {"processing"}


def follow(clients: ExitStack, shop: Shop, bought: Bought) -> Iterator[dict[str, Any]]:
    """Open a stream of the order, and yield the data of its events."""
    path = f"{shop.url}/api/orders/{bought.id}/stream"
    answer = clients.enter_context(httpx.stream("GET", path, headers=shop.buyer(), timeout=LONGEST))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    return (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: "))


def test_http2_is_spoken_without_tls_to_a_proxy_that_knows_it(shop: Shop):
    """The connection preface of RFC 9113, and an empty SETTINGS frame; the server's own SETTINGS frame comes first."""
    with connect(shop, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0") as connection:
        assert connection.recv(1000)[3] == 4


def test_all_processes_together_stay_under_350_megabytes(shop: Shop):
    for path in ("/", "/search", "/cart/", "/api/products", "/account/login/"):
        shop.http.get(path)
    assert shop.process is not None

    assert sum(megabytes(pid) for pid in family(shop.process.pid)) < 350


def megabytes(pid: int) -> float:
    """What the process needs; memory that it shares with others counts in part (Pss)."""
    (line,) = [line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) / 1024


def test_on_sigterm_what_is_under_way_is_finished_and_nothing_new_is_taken(shop: Shop):
    assert shop.process is not None
    body = b"product=1&" + b"x" * 899_990
    with half_a_body(shop, "/cart/add/", FORM) as under_way:
        shop.http.get("/healthz")
        stopped = threading.Thread(target=shop.process.wait, args=(LONGEST,))
        shop.process.send_signal(signal.SIGTERM)
        stopped.start()
        wait_for("the server to take nothing new", lambda: is_refused(shop))

        under_way.sendall(body[10:])
        answer = under_way.recv(1000)
        stopped.join()

    assert answer.startswith(b"HTTP/1.1 404 "), answer  # there is no product of this number
    assert shop.process.returncode == 0


def is_refused(shop: Shop) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", shop.port)) == errno.ECONNREFUSED  # the system answers at once
