"""Measure the web server as shipped with a thousand open streams: `python -m benchmarks.streams`.

What they cost: memory, threads, CPU while nothing happens, and how soon they tell that orders were shipped.
"""

import os
import selectors
import shutil
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.front import running
from benchmarks.shop_of import fill, prepare

STREAMS = 1_000
ORDERS = 200
QUIET_SECONDS = 10.0


@dataclass
class Process:
    pid: int

    @property
    def megabytes(self) -> float:
        """Memory that it shares with others counts in part (Pss)."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024

    @property
    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    @property
    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def find_server() -> Process:
    """Return the process that serves: the one with most memory of those that this one has started."""
    below, found = [os.getpid()], []
    while below:
        started = list(children(below.pop()))
        below += started
        found += started
    return max(map(Process, found), key=lambda process: process.megabytes)


def place(count: int) -> list[Any]:
    from django.utils import timezone

    from shop.checkout.placing import order_products
    from shop.models import Product

    Product.objects.update(stock=10 * count)
    product = Product.objects.earliest("created_at")
    address = {"name": "Ada", "street": "1 High Street", "city": "London", "postalCode": "N1 1AA", "country": "GB"}
    buyer: dict[str, Any] = {"user": None, "address": address, "network": "BTC"}
    return [order_products({product.pk: 1}, email=f"ada{n}@example.com", at=timezone.now(), **buyer).order for n in range(count)]


def open_stream(port: int, order: Any, number: int) -> socket.socket:
    """Open a stream from an address of its own, and read how it begins."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"GET /api/orders/{order.pk}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Order-Key: {order.access_token}\r\n"
    connection.sendall(f"{head}X-Forwarded-For: 10.0.{number // 250}.{number % 250}\r\n\r\n".encode())
    answer = b""
    while b"event: order" not in answer:
        received = connection.recv(65_536)
        assert received, answer
        answer += received
    return connection


def ship(orders: list[Any], streams: dict[socket.socket, Any]) -> list[float]:
    """Ship these orders, and return after how many seconds each of their streams has said so."""
    from django.utils import timezone

    from shop.orders.lifecycle import change_status

    selector = selectors.DefaultSelector()
    waiting = {stream for stream, order in streams.items() if order in orders}
    for stream in waiting:
        selector.register(stream, selectors.EVENT_READ)
    begun, seconds = time.monotonic(), []
    for order in orders:
        change_status(order.pk, "processing", actor="bench", at=timezone.now(), reason="Measured.")
    while waiting and time.monotonic() < begun + 60:
        for key, _events in selector.select(1):
            connection: Any = key.fileobj
            received = connection.recv(1 << 20)
            if b'"status":"processing"' in received:
                seconds.append(time.monotonic() - begun)
            elif received:
                continue
            waiting.discard(connection)  # of a stream that was told, or has ended after its five minutes
            selector.unregister(connection)
    assert not waiting, f"{len(waiting)} streams were told nothing"
    return seconds


def main() -> None:
    os.environ["TRUSTED_PROXIES"] = "127.0.0.1"
    folder = prepare()
    try:
        fill(10)
        orders = place(ORDERS)
        with running("shop") as port, ExitStack() as clients:
            httpx.get(f"http://127.0.0.1:{port}/api/orders/{orders[0].pk}", headers={"X-Order-Key": orders[0].access_token}, timeout=60)
            measure(port, orders, clients)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(port: int, orders: list[Any], clients: ExitStack) -> None:
    server = find_server()
    for number in range(20):  # what the first ones load stays
        open_stream(port, orders[number], number).close()
    memory, threads, begun = server.megabytes, server.threads, time.monotonic()
    streams = {clients.enter_context(open_stream(port, orders[n % ORDERS], n)): orders[n % ORDERS] for n in range(STREAMS)}
    print(f"{STREAMS} streams of {ORDERS} orders, opened in {time.monotonic() - begun:.1f} s")
    cpu = server.cpu_seconds
    time.sleep(QUIET_SECONDS)
    cpu = (server.cpu_seconds - cpu) / QUIET_SECONDS
    print(
        f"{server.megabytes - memory:.1f} MB, {server.threads - threads} more threads, {100 * cpu:.1f} % of a processor while all is quiet"
    )
    for some in (orders[:1], orders[1:]):
        seconds = ship(some, streams)
        print(
            f"{len(some)} orders changed: {len(seconds)} streams told, median {statistics.median(seconds):.2f} s, last {max(seconds):.2f} s"
        )


if __name__ == "__main__":
    main()
