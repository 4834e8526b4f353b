"""A crowd: thousands pay in one block, a thousand run out of time within a minute, among a hundred thousand open invoices.

STACK_OPEN_INVOICES says among how many others: each needs an address of the node's, which takes most of the time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.running import LONGEST, ROOT, Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import confirmations_mailed
from tests.stack.conftest import open_node, shop_on

OPEN = int(os.environ.get("STACK_OPEN_INVOICES", "100000"))
PAID, EXPIRING = 2_000, 1_000
SECONDS = 60
"""From the block until all are settled, on two cores."""


class Clerk:
    """`tests.stack.filling` in a process of its own, on the shop's database."""

    def __init__(self, shop: Shop) -> None:
        command = [sys.executable, "-m", "tests.stack.filling"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=shop.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, act: str, **options: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([act, options]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"The clerk ended with {self.process.wait()}."
        return json.loads(line)

    def are(self, bought: dict[str, Any], status: str) -> bool:
        """Whether all invoices of these orders have it."""
        return bool(self.ask("statuses", product=bought["product"]) == {status: len(bought["orders"])})

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(LONGEST)


@contextmanager
def measured(shop: Shop, what: str) -> Iterator[None]:
    """Say how long it took; on a machine that others use too, the worker's own time tells more than the clock."""
    started, worked = time.monotonic(), processor_seconds(shop)
    yield
    print(f"\n{what}: {time.monotonic() - started:.1f} s, the worker's processor time {processor_seconds(shop) - worked:.1f} s", end="")


def processor_seconds(shop: Shop) -> float:
    fields = Path(f"/proc/{shop.child('worker')}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One of its own: a hundred thousand addresses of its wallet are used up here."""
    yield from open_node(Node(tmp_path_factory.mktemp("bitcoind")))


@pytest.fixture(scope="module")
def shop(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = shop_on(node, tmp_path_factory.mktemp("crowd"), {"FOLLOW_SECONDS": "5"})
    yield shop
    shop.stop()


@pytest.fixture(scope="module")
def clerk(shop: Shop) -> Iterator[Clerk]:
    clerk = Clerk(shop)
    clerk.ask("prepare", unpaid=OPEN)
    shop.start()
    yield clerk
    clerk.leave()


def test_two_thousand_payments_in_one_block_each_settle_once_within_a_minute(node: Node, shop: Shop, clerk: Clerk):
    bought = clerk.ask("order", name="Paid", count=PAID)
    orders = bought["orders"]
    node.pay_each({each["address"]: Decimal(each["amount"]) for each in orders})
    with measured(shop, f"{PAID:,} payments seen"):
        wait_for("all to be seen", lambda: clerk.are(bought, "processing"), seconds=120)

    with measured(shop, "settled after their block"):
        (block,) = node.mine()
        wait_for("all to settle", lambda: clerk.are(bought, "settled"), seconds=SECONDS)

    assert len(node.call("getblock", block)["tx"]) == PAID + 1, "Some were in another block."
    outcome = clerk.ask("count", product=bought["product"])
    assert outcome["orders"] == {"processing paid": PAID}
    assert outcome["events"]["invoice.settled"] == PAID
    assert outcome["stock"] == 0
    with measured(shop, "all mails written"):
        wait_for("a mail for each", lambda: sum(confirmations_mailed(shop).values()) >= PAID, seconds=120)
    assert confirmations_mailed(shop) == {each["number"]: 1 for each in orders}


def test_a_thousand_invoices_each_expire_once_within_a_minute(shop: Shop, clerk: Clerk):
    bought = clerk.ask("order", name="Expiring", count=EXPIRING, is_expiring=True)

    wait_for("all to expire", lambda: clerk.are(bought, "expired"), seconds=100)

    outcome = clerk.ask("count", product=bought["product"])
    assert outcome["orders"] == {"pending expired": EXPIRING}
    assert outcome["events"] == {"invoice.new": EXPIRING, "invoice.expired": EXPIRING}
    assert outcome["stock"] == EXPIRING
