"""Measure the web server as shipped with many open connections: `python -m benchmarks.connections`.

A thousand visitors connect at the same moment, and each asks for a page every 1.5 seconds; a probe asks /healthz ten times a second.
The client shares the processors with the server.
"""

import heapq
import selectors
import shutil
import socket
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from benchmarks.front import PACKED, running
from benchmarks.shop_of import fill, prepare

PRODUCTS = 500
CONNECTIONS = 1_000
SECONDS = 20.0
EVERY = 1.5
"""Seconds between two requests of a visitor."""
PROBE_EVERY = 0.1
READY = ("/", "/search", "/api/products", "/p/product-77/", "/c/shelf-1-1/", "/p/product-78/", "/search?q=product", "/api/categories")
MADE = ("/account/login/", "/cart/")
"""Pages that Django makes for each visitor."""
HEALTH = "/healthz"


@dataclass
class Visitor:
    connection: socket.socket
    paths: tuple[str, ...]
    every: float
    asked: int = 0
    path: str = ""
    asked_at: float = 0.0
    answer: bytes = b""

    def ask(self, at: float) -> None:
        self.path = self.paths[self.asked % len(self.paths)]
        self.asked += 1
        self.asked_at, self.answer = at, b""
        self.connection.sendall(f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{PACKED}\r\n".encode())

    def is_answered(self) -> bool:
        head, _, body = self.answer.partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return bool(length) and len(body) >= int(length[0].split(b":")[1])


@dataclass
class Measured:
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"first": [], "ready": [], "made": [], "health": []})
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, visitor: Visitor, took: float) -> None:
        kind = "health" if visitor.path == HEALTH else "made" if visitor.path in MADE else "first" if visitor.asked == 1 else "ready"
        self.seconds[kind].append(took)
        self.statuses[visitor.answer[9:12].decode()] += 1


def visit(port: int) -> Measured:
    """Let all visitors ask until the time is up, and return how long they waited."""
    measured, selector = Measured(), selectors.DefaultSelector()
    due: list[tuple[float, int, Visitor]] = []
    begun = time.monotonic()
    for number in range(CONNECTIONS + 1):
        turned = number % len(READY)
        paths = READY[turned:] + READY[:turned] + (MADE[number % 2],) if number else (HEALTH,)
        visitor = Visitor(socket.create_connection(("127.0.0.1", port)), paths, EVERY if number else PROBE_EVERY)
        selector.register(visitor.connection, selectors.EVENT_READ, visitor)
        visitor.ask(time.monotonic())
    while (now := time.monotonic()) < begun + SECONDS:
        while due and due[0][0] <= now:
            heapq.heappop(due)[2].ask(now)
        for key, _events in selector.select(max(0.0, due[0][0] - now) if due else 1):
            visitor = key.data
            received = visitor.connection.recv(1 << 20)
            visitor.answer += received
            if not received:
                measured.statuses["broken"] += 1
                selector.unregister(visitor.connection)
            elif visitor.is_answered():
                answered = time.monotonic()
                measured.add(visitor, answered - visitor.asked_at)
                heapq.heappush(due, (visitor.asked_at + visitor.every, id(visitor), visitor))
    for key in list(selector.get_map().values()):
        key.data.connection.close()
    return measured


def main() -> None:
    folder = prepare()
    try:
        fill(PRODUCTS)
        with running("shop") as port:
            for path in READY:
                httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Host": "127.0.0.1"}, timeout=60).raise_for_status()
            measured = visit(port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    answered = sum(len(seconds) for seconds in measured.seconds.values())
    print(f"{CONNECTIONS} connections, {answered / SECONDS:,.0f} answers/s, statuses {dict(measured.statuses)}")
    for kind, seconds in measured.seconds.items():
        if len(seconds) < 2:
            print(f"{kind:10}{len(seconds):8,} answers: too few to compare")
            continue
        ranks = statistics.quantiles(seconds, n=100)
        print(f"{kind:10}{len(seconds):8,} answers, median {ranks[49] * 1000:6.0f} ms, p95 {ranks[94] * 1000:6.0f} ms")


if __name__ == "__main__":
    main()
