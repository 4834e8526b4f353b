"""The disk fills up, or an error makes it read-only, under a running shop: it says so, and what was acknowledged stays."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.running import Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import buy, buy_as_a_guest, invoice_of, order, stock_of, stock_product, wait_until_settled
from tests.stack.conftest import shop_on
from tests.stack.disk import Disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk", tmp_path / "shop" / "data", options="errors=remount-ro")
    yield disk
    disk.remove()


def fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(bytes(1_000_000)):
            pass
    with suppress(OSError), file.with_suffix(".rest").open("wb", buffering=0) as filler:
        while filler.write(bytes(512)):
            pass


def order_until_refused(shop: Shop, product: str) -> list[str]:
    """Order until buyers are told to come back, and those who watch the shop are told why. Returns the ids of the orders that were taken.

    There are some if the database's log, whose space is used again and again, has room for them.
    """
    taken = []
    while (answer := order(shop, product)).status_code == 201:
        taken.append(answer.json()["data"]["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE"), answer.text
    health = shop.http.get("/healthz")
    assert health.status_code == 503, health.text
    assert "Nothing can be written to the disk of DATA_DIR" in health.json()["error"]["message"]
    return taken


def test_a_disk_that_is_full_or_read_only_takes_no_order_loses_none_and_recovers(node: Node, disk: Disk, tmp_path: Path):
    shop = shop_on(node, tmp_path / "shop", {"STAFF_EMAIL": "grace@example.com"})
    shop.start()
    try:
        product = stock_product(shop, stock=1000)
        orders = [buy(shop, product)]
        report = shop.get("/api/admin/health", headers=shop.staff())["disk"]
        assert (report["status"], "nearly full" in report["problem"]) == ("trouble", True)
        wait_for("a mail about the disk", lambda: any("needs space" in mail.read_text() for mail in (shop.data / "mail").glob("*.eml")))

        filler = shop.data / "filler"
        fill(filler)
        taken = order_until_refused(shop, product)
        filler.unlink()
        filler.with_suffix(".rest").unlink()
        wait_for("orders again", lambda: shop.http.get("/healthz").status_code == 200)
        orders.append(buy(shop, product))

        disk.break_file_system()
        taken += order_until_refused(shop, product)
        node.pay(orders[0].address, orders[0].amount)
        node.mine()
    finally:
        shop.stop()

    disk.repair()
    shop.start()
    try:
        assert shop.http.get("/healthz").status_code == 200
        wait_until_settled(shop, orders[:1])
        assert invoice_of(shop, orders[1])["address"] == orders[1].address
        assert {shop.get(f"/api/orders/{order_id}", headers=shop.buyer())["status"] for order_id in taken} <= {"pending"}
        assert stock_of(shop, product) == 1000 - len(orders) - len(taken)
        buy_as_a_guest(shop, product)
    finally:
        shop.stop()
