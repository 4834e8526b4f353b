"""The shop's wallet on a real litecoind: lost and created again, and replaced by another one."""

import shutil
from collections.abc import Iterator

import pytest

from tests.running import Shop
from tests.stack.buying import Bought, buy, invoice_status, wait_until, wait_until_settled
from tests.stack.conftest import open_node
from tests.stack.ledger import manage
from tests.stack.litecoind import LitecoinNode, extended_key


@pytest.fixture(scope="module")
def litecoin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitecoinNode]:
    """One of its own: here its wallets are deleted."""
    yield from open_node(LitecoinNode(tmp_path_factory.mktemp("litecoind")))


@pytest.fixture
def orders(shop: Shop, litecoin: LitecoinNode, product: str) -> list[Bought]:
    """One settled, one whose payment waits for a block, one not paid yet."""
    settled, seen, unpaid = (buy(shop, product, coin="LTC") for _ in range(3))
    litecoin.pay(settled.address, settled.amount)
    litecoin.mine()
    wait_until_settled(shop, [settled])
    litecoin.pay(seen.address, seen.amount)
    wait_until(shop, seen, "processing")
    return [settled, seen, unpaid]


def test_a_wallet_created_again_finds_what_was_paid_meanwhile(shop: Shop, litecoin: LitecoinNode, orders: list[Bought], product: str):
    shop.stop()
    litecoin.call("unloadwallet", litecoin.watching)
    (wallet,) = (path for path in litecoin.folder.rglob(litecoin.watching) if path.is_dir())
    shutil.rmtree(wallet)
    litecoin.pay(orders[-1].address, orders[-1].amount)
    litecoin.mine(30)
    shop.start()

    wait_until_settled(shop, orders)

    assert manage(shop, "reconcile", "--network", "LTC")[0] == 0
    assert buy(shop, product, coin="LTC").address not in {each.address for each in orders}


def test_another_wallet_takes_no_payment_away(shop: Shop, litecoin: LitecoinNode, orders: list[Bought]):
    shop.stop()
    key = litecoin.public(f"wpkh({extended_key()}/0/*)")
    shop.environment |= {"LITECOIN_WALLET": f"rotated-{litecoin.watching}", "LITECOIN_DESCRIPTOR": key}
    shop.start()
    litecoin.pay(orders[-1].address, orders[-1].amount)
    wait_until(shop, orders[-1], "processing")

    assert [invoice_status(shop, each) for each in orders] == ["settled", "processing", "processing"]
    code, said, _ = manage(shop, "reconcile", "--network", "LTC")
    assert (code, "another wallet" in said) == (1, True)
    litecoin.mine(2)
    wait_until_settled(shop, orders)
