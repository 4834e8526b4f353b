"""Measure orders through the API on a whole shop of its own (SQLite, play money): `python -m benchmarks.orders [COUNT]`.

The CPU time is that of each process of the shop, with the mails, which a mail server takes, less what they use while nothing happens.
For comparison an order is refused (the same way through server and REST framework, with login and validation), and the same rows are
written by hand, in one transaction on the same disk with the same pragmas. On a busy machine the ratios tell more than the times.
"""

import os
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from benchmarks.catalogue import milliseconds
from benchmarks.shop_of import prepare
from cryptons.databases import SQLITE_OPTIONS
from tests.fake_smtp import fake_smtp
from tests.running import Shop, children, command
from tests.stack.buying import ADDRESS, stock_product

COUNT = 200
CLIENTS = 8
WARM_UP = 10
IDLE_SECONDS = 10
MAIL_SECONDS = 7
"""After this time the mails of all orders were sent."""
Statement = tuple[str, tuple[Any, ...]]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    folder = Path(tempfile.mkdtemp(prefix="cryptons-bench-"))
    with fake_smtp() as mail_server:
        shop = Shop(folder / "shop", "--no-demo", SANDBOX="true", INVOICE_MINUTES="60", EMAIL_URL=mail_server.url)
        try:
            shop.start()
            product = stock_product(shop, stock=10 * count)
            alone = measure(shop, product, count, clients=1)
            crowd = measure(shop, product, count, clients=CLIENTS)
            mails = len(mail_server.mails)
            refused = measure(shop, product, count, clients=1, coin="DOGE", status=400)
            shop.stop()
            by_hand = write_by_hand(folder / "hand", count)
        finally:
            if shop.process is not None and shop.process.poll() is None:
                shop.stop()
            shutil.rmtree(folder, ignore_errors=True)
    report({"an order, 1 client": alone, f"an order, {CLIENTS} clients": crowd, "a refused order": refused}, by_hand)
    print(f"{mails} mails of {2 * (count + WARM_UP)} orders were sent before the refused ones, load {os.getloadavg()[0]:.1f}", flush=True)


def report(measured: Mapping[str, tuple[list[float], dict[str, float]]], by_hand: tuple[list[float], float]) -> None:
    hand_times, hand_cpu = by_hand
    hand = statistics.median(hand_times)
    print(f"{'':28}{'median':>10}{'p95':>10}{'':>9}{'CPU':>10}   each as a ratio to the rows by hand")
    for name, (times, cpu) in measured.items():
        median, used = statistics.median(times), sum(cpu.values())
        shares = ", ".join(f"{process} {milliseconds:.2f}" for process, milliseconds in cpu.items())
        ratios = f"{median / hand:7.1f} ×{used:7.2f} ms{used / hand_cpu:7.1f} ×"
        print(f"{name:28}{median:7.1f} ms{p95(times):7.1f} ms{ratios}   {shares}")
    print(f"{'the same rows by hand':28}{hand:7.1f} ms{p95(hand_times):7.1f} ms{'':9}{hand_cpu:7.2f} ms")


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def measure(
    shop: Shop, product: str, count: int, *, clients: int, coin: str = "BTC", status: int = 201
) -> tuple[list[float], dict[str, float]]:
    """Return the milliseconds of each order, and of CPU for one by process."""
    headers = shop.buyer()
    body = {"cryptocurrency": coin, "items": [{"productId": product, "quantity": 1}], "shippingAddress": ADDRESS}
    with httpx.Client(base_url=shop.url, timeout=60) as http:

        def order(_: int = 0) -> None:
            answer = http.post("/api/orders", headers=headers, json=body)
            if answer.status_code != status:
                raise SystemExit(f"An order answers {answer.status_code}: {answer.text}")

        for _ in range(WARM_UP):
            order()
        idle = idle_share(shop)
        before, started = cpu_seconds(shop), time.monotonic()
        with ThreadPoolExecutor(clients) as pool:
            times = list(pool.map(lambda _: milliseconds(order), range(count)))
        time.sleep(MAIL_SECONDS)
        took, after = time.monotonic() - started, cpu_seconds(shop)
    return times, {process: (after[process] - before[process] - idle[process] * took) * 1000 / count for process in before}


def idle_share(shop: Shop) -> dict[str, float]:
    """Return the CPU seconds that each process uses in a second in which nothing is ordered."""
    time.sleep(MAIL_SECONDS)
    before = cpu_seconds(shop)
    time.sleep(IDLE_SECONDS)
    after = cpu_seconds(shop)
    return {process: (after[process] - before[process]) / IDLE_SECONDS for process in before}


def cpu_seconds(shop: Shop) -> dict[str, float]:
    assert shop.process is not None
    seconds = dict.fromkeys(("web", "worker", "others"), 0.0)
    for pid in family(shop.process.pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        name = next((name for name in ("web", "worker") if f"cryptons.serving.{name}" in command(pid)), "others")
        seconds[name] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def family(pid: int) -> Iterator[int]:
    yield pid
    for child in children(pid):
        yield from family(child)


def write_by_hand(folder: Path, count: int) -> tuple[list[float], float]:
    """Return the milliseconds of each transaction that writes the rows of one order, and those of CPU for one."""
    prepare(folder)
    statements = statements_of_an_order(folder / "hand.sqlite3")
    with closing(sqlite3.connect(folder / "hand.sqlite3", isolation_level=None)) as database:
        for pragma in str(SQLITE_OPTIONS["init_command"]).split(";"):
            database.execute(pragma)
        written = [write(database, statements) for _ in range(count)]
    return [took for took, _ in written], statistics.mean(cpu for _, cpu in written)


def statements_of_an_order(before: Path) -> list[Statement]:
    """Place an order in this process, and return what its transaction wrote. `before` becomes a copy of the database without it."""
    from django.db import connection
    from django.utils import timezone

    from shop.checkout.placing import place_order
    from shop.tests.factories import CartItemFactory

    written: list[Statement] = []

    def record(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith(("INSERT", "UPDATE")) and connection.in_atomic_block:
            written.extend((sql.replace("%s", "?"), tuple(row)) for row in (parameters if many else [parameters]))
        return execute(sql, parameters, many, context)

    cart = CartItemFactory.create().cart
    with closing(sqlite3.connect(before)) as copy:
        connection.connection.backup(copy)
    with connection.execute_wrapper(record):
        place_order(cart, email="ada@example.com", user=None, address=dict(ADDRESS), network="BTC", at=timezone.now())
    connection.close()
    return written


def write(database: sqlite3.Connection, statements: list[Statement]) -> tuple[float, float]:
    """Return the milliseconds of the transaction, and those of CPU. Its rows are deleted afterwards: the next one writes them again."""
    made: list[tuple[str, int]] = []

    def act() -> None:
        database.execute("BEGIN IMMEDIATE")
        for sql, parameters in statements:
            cursor = database.execute(sql, parameters)
            cursor.fetchall()
            if table := re.match(r'INSERT INTO ("\w+")', sql):
                made.append((table[1], cursor.lastrowid or 0))
        database.execute("COMMIT")

    began = time.process_time()
    took, cpu = milliseconds(act), (time.process_time() - began) * 1000
    database.execute("BEGIN IMMEDIATE")
    for table, row in reversed(made):
        database.execute(f"DELETE FROM {table} WHERE rowid = ?", [row])  # noqa: S608
    database.execute("COMMIT")
    return took, cpu


if __name__ == "__main__":
    main()
