"""The power goes: what was acknowledged is on the disk, and no payout is sent twice."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.running import Shop
from tests.servers import Server, postgres
from tests.stack.bitcoind import Node
from tests.stack.buying import buy, invoice_of, stock_of, stock_product
from tests.stack.conftest import shop_on
from tests.stack.disk import Disk
from tests.stack.senders import PayoutLedger, fill_purse, node_settings

ORDERS = 4
SAT = 20_000

Cut = Callable[[], Disk]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk", tmp_path / "before" / "data")
    yield disk
    disk.remove()


@pytest.fixture
def cut(disk: Disk, tmp_path: Path) -> Iterator[Cut]:
    """Cuts the power; the disk is then mounted as the data folder of `after`."""
    with ExitStack() as made:

        def cut() -> Disk:
            left = disk.cut(tmp_path / "left", tmp_path / "after" / "data")
            made.callback(left.remove)
            return left

        yield cut


@contextmanager
def running(shop: Shop) -> Iterator[Shop]:
    shop.start()
    try:
        yield shop
    finally:
        shop.stop()


def test_orders_that_were_answered_201_are_there_after_a_power_cut(node: Node, disk: Disk, cut: Cut, tmp_path: Path):
    with running(shop_on(node, tmp_path / "before", {})) as shop:
        product = stock_product(shop, stock=10)
        orders = [buy(shop, product) for _ in range(ORDERS)]
        cut()

    with running(shop_on(node, tmp_path / "after", {})) as shop:
        kept = [shop.get(f"/api/orders/{order.id}", headers=shop.staff()) for order in orders]
        assert [order["orderNumber"] for order in kept] == [order.number for order in orders]
        assert [invoice_of(shop, order)["address"] for order in orders] == [order.address for order in orders]
        assert stock_of(shop, product) == 10 - ORDERS


def test_a_payout_that_was_sent_before_a_power_cut_is_not_sent_again(node: Node, disk: Disk, cut: Cut, tmp_path: Path):
    purse = fill_purse(node, f"purse-{tmp_path.name}", coins=4)
    home = str(node.call("getnewaddress", wallet=node.buyers))
    with ledger_in(tmp_path / "before", node_settings(node, purse)) as ledger:
        (payout_id,) = ledger.make("BTC", SAT, [home])
        disk.flush()
        with open_database(ledger):
            ledger.sweep()
            cut()
        assert ledger.status(payout_id) == "sent"
        reference = ledger.row(payout_id)["reference"]

    with ledger_in(tmp_path / "after", node_settings(node, purse)) as ledger:
        ledger.sweep()
        assert (ledger.status(payout_id), ledger.row(payout_id)["reference"]) == ("sent", reference)
    sent = node.call("listtransactions", "*", 100, wallet=purse)
    assert {entry["txid"] for entry in sent if entry["category"] == "send"} == {reference}


def test_orders_and_a_payout_are_there_after_a_power_cut_of_postgresql(node: Node, server_folder: Path, tmp_path: Path):
    """The database alone has the disk that is cut; what the shop keeps next to it is new afterwards."""
    purse = fill_purse(node, f"purse-{tmp_path.name}", coins=4)
    home = str(node.call("getnewaddress", wallet=node.buyers))
    with ExitStack() as made:
        disks = [made.enter_context(mounted(Disk(server_folder / "image", server_folder / "disk", megabytes=1024)))]
        server = made.enter_context(stopping(postgres(disks[0].place / "database", durable=True)))
        disks[0].flush()  # the database is older than the shop

        def cut(name: str) -> Server:
            disks.append(made.enter_context(mounted(disks[0].cut(server_folder / f"{name}-image", server_folder / name))))
            for file in disks[-1].place.rglob("postmaster.pid"):  # it names a process that still runs here
                file.unlink()
            return made.enter_context(stopping(postgres(disks[-1].place / "database", durable=True)))

        (tmp_path / "before" / "data").mkdir(parents=True)  # so that the ledger migrates the database
        with ledger_in(tmp_path / "before", node_settings(node, purse) | server.settings) as ledger:
            (payout_id,) = ledger.make("BTC", SAT, [home])
            ledger.sweep()
            after_payout = cut("payout")
            reference = ledger.row(payout_id)["reference"]
        with running(shop_on(node, tmp_path / "shop", server.settings)) as shop:
            product = stock_product(shop, stock=10)
            orders = [buy(shop, product) for _ in range(ORDERS)]
            after_orders = cut("orders")

        with ledger_in(tmp_path / "after", node_settings(node, purse) | after_payout.settings) as ledger:
            ledger.sweep()
            assert ledger.row(payout_id) == {"status": "sent", "reference": reference}
        with ledger_in(tmp_path / "orders", node_settings(node, purse) | after_orders.settings) as ledger:
            assert ledger.orders() == {f"order_{order.number}": order.address for order in orders}
    sent = node.call("listtransactions", "*", 100, wallet=purse)
    assert {entry["txid"] for entry in sent if entry["category"] == "send"} == {reference}


@contextmanager
def mounted(disk: Disk) -> Iterator[Disk]:
    try:
        yield disk
    finally:
        disk.remove()


@contextmanager
def stopping(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def open_database(ledger: PayoutLedger) -> Iterator[None]:
    """As in a shop, another process has the database open, so that the sender's end does not flush it."""
    with closing(sqlite3.connect(ledger.shop.data / "cryptons.sqlite3")) as database:
        database.execute("select count(*) from payments_payout").fetchone()
        yield


@contextmanager
def ledger_in(folder: Path, settings: dict[str, str]) -> Iterator[PayoutLedger]:
    ledger = PayoutLedger(folder, settings)
    try:
        yield ledger
    finally:
        ledger.stop()
