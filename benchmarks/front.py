"""Measure the web server as shipped, next to raw WSGI and an empty view of Django, in alternating rounds: `python -m benchmarks.front`.

Each number is the median of its rounds, and only the ratios mean something on another machine. The client shares the processors with
the servers, so it sends several requests at once on each connection: then it costs little itself.
"""

import contextlib
import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from benchmarks.shop_of import fill, prepare

PRODUCTS = 500
ROUNDS = 5
SECONDS = 1.0
CONNECTIONS = 32
AT_ONCE = 8
RAW_BODY = b"x" * 12_000
OK = b"HTTP/1.1 200 OK\r\n"
PACKED = "Accept-Encoding: gzip, deflate, br\r\n"


@dataclass
class Target:
    name: str
    port: int
    path: str
    headers: str = ""
    rates: list[float] = field(default_factory=list)

    @property
    def request(self) -> bytes:
        return f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{self.headers}\r\n".encode()

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def run(self, seconds: float) -> float:
        """Return the answers with status 200 in each second."""
        batch, answered = self.request * AT_ONCE, 0
        poller = select.poll()
        with contextlib.ExitStack() as closing:
            sockets = {}
            for _ in range(CONNECTIONS):
                connection = closing.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                connection.sendall(batch)
                sockets[connection.fileno()] = connection
                poller.register(connection, select.POLLIN)
            counts, rests = dict.fromkeys(sockets, 0), dict.fromkeys(sockets, b"")
            started = time.perf_counter()
            while time.perf_counter() - started < seconds:
                for number, _event in poller.poll(1000):
                    data = rests[number] + sockets[number].recv(1 << 20)
                    counts[number] += data.count(OK)
                    rests[number] = data[-len(OK) + 1 :]
                    if counts[number] >= AT_ONCE:
                        answered += counts[number]
                        counts[number] = 0
                        sockets[number].sendall(batch)
            return answered / (time.perf_counter() - started)


def raw(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(RAW_BODY))), ("Server", "")])
    return [RAW_BODY]


def load_shop_with_bare_view(target: str) -> Any:
    from django.conf import settings

    from cryptons.serving.web import load_front

    settings.ROOT_URLCONF = "benchmarks.urls"
    return load_front(target)


def serve(kind: str, port: int) -> None:
    """Run one of the two servers in this process, each with one worker."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from cryptons.serving.listening import Listening
    from cryptons.serving.parent import end_with_parent
    from cryptons.serving.web import make_server

    end_with_parent()
    if kind == "shop":
        make_server(Listening("127.0.0.1", port, 1)).serve(target_loader=load_shop_with_bare_view)
        return
    server = Granian("raw", port=port, interface=Interfaces.WSGI, blocking_threads=2, websockets=False, log_level=LogLevels.error)
    server.serve(target_loader=lambda _target: raw)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(kind: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.front", kind, str(port)], env=dict(os.environ))  # noqa: S603
    try:
        for _ in range(300):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def cookies_of_a_guest(port: int, product: str) -> str:
    """Return the header of a visitor who has a product in the cart and has seen the message."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=30) as guest:
        guest.post("/cart/add/", data={"product": product, "quantity": "2"}, headers={"Sec-Fetch-Site": "same-origin"})
        return "Cookie: " + "; ".join(f"{cookie.name}={cookie.value}" for cookie in guest.cookies.jar) + "\r\n"


def targets(raw_port: int, port: int, product: str) -> list[Target]:
    page = httpx.get(f"http://127.0.0.1:{port}/", timeout=30).text
    style = re.search(r'href="(/static/css/shop[^"]*)"', page)
    assert style is not None
    at = partial(Target, port=port)
    return [
        Target("raw WSGI", raw_port, "/"),
        at("bare view", path="/bare"),
        at("home", path="/"),
        at("list page", path="/search"),
        at("product page", path="/p/product-77/"),
        at("API list", path="/api/products"),
        at("home, packed", path="/", headers=PACKED),
        at("API list, packed", path="/api/products", headers=PACKED),
        at("guest with a cart", path="/", headers=cookies_of_a_guest(port, product)),
        at("static file", path=style[1]),
    ]


def main() -> None:
    if len(sys.argv) > 1:
        serve(sys.argv[1], int(sys.argv[2]))
        return
    folder = prepare()
    try:
        fill(PRODUCTS)
        from shop.models import Product

        product = str(Product.objects.get(slug="product-77").pk)
        with running("raw") as raw_port, running("shop") as port:
            measured = targets(raw_port, port, product)
            for target in measured:
                target.run(0.3)
            for _ in range(ROUNDS):
                for target in measured:
                    target.rates.append(target.run(SECONDS))
        show(measured)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(measured: list[Target]) -> None:
    raw_rate, bare_rate = measured[0].rate, measured[1].rate
    print(f"{'':20}{'answers/s':>11}{'of raw WSGI':>14}{'of a bare view':>17}")
    for target in measured:
        print(f"{target.name:20}{target.rate:11,.0f}{target.rate / raw_rate:12.2f} ×{target.rate / bare_rate:15.2f} ×", flush=True)


if __name__ == "__main__":
    main()
