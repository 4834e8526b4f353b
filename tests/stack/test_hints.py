"""What wakes the follower before its time, on a real node. The shop looks every two minutes at most: hints tell what is seen sooner."""

import hashlib
import hmac
import json
import shlex
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import zmq

from tests.running import LONGEST, ROOT, Shop, free_port, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import Bought, buy, invoice_status, stock_product, wait_until_settled
from tests.stack.conftest import shop_on
from tests.stack.litecoind import LitecoinNode

SELDOM = {"FOLLOW_SECONDS": "600"}
SECRET = "whsec_" + b64encode(b"known to the shop and to its payment watcher").decode()

Open = Callable[..., tuple[Node, Shop]]


@pytest.fixture
def kind() -> type[Node]:
    """Of node; tests that are for another one say so."""
    return Node


@pytest.fixture
def opened(kind: type[Node], tmp_path: Path) -> Iterator[Open]:
    """A node of this test's own, with these options, and a shop on it, which had its first look at it."""
    node, shops = kind(tmp_path / "node"), []
    if not node.is_ours:
        pytest.fail("These tests start the node with options: they need one of their own.", pytrace=False)

    def start(*options: str, **settings: str) -> tuple[Node, Shop]:
        node.start()
        node.make_wallets()
        node.stop()  # what it tells of its many first blocks is of no use
        node.start(*options)
        shop = shop_on(node, tmp_path / "shop", SELDOM | settings)
        shops.append(shop)
        shop.start()
        wait_for("the first look", lambda: looks_at(shop) is not None)
        return node, shop

    yield start
    for shop in shops:
        shop.stop()
    node.stop()


def looks_at(shop: Shop) -> str | None:
    """When the follower of its one network had its last answer, as staff are told."""
    (node,) = shop.get("/api/admin/health", headers=shop.staff())["nodes"]["networks"]
    return node["follower"]["answeredAt"]


def pay_and_settle(node: Node, shop: Shop, tell: Callable[[Bought, str], None] = lambda bought, txid: None) -> None:
    """A buyer pays, `tell` gives a hint of it; a block comes, and again."""
    bought = buy(shop, stock_product(shop, stock=5), coin=node.code)
    txid = node.pay(bought.address, bought.amount)
    tell(bought, txid)
    wait_for("the payment to be seen", lambda: invoice_status(shop, bought) == "processing")
    node.mine()
    tell(bought, txid)
    wait_until_settled(shop, [bought])


def test_a_payment_is_not_seen_before_the_next_poll_without_a_hint(opened: Open):
    node, shop = opened()
    for _ in range(3):  # beat and the listener each look once at their start, which may be now
        before, bought = looks_at(shop), buy(shop, stock_product(shop, stock=1))
        node.pay(bought.address, bought.amount)
        node.mine()
        time.sleep(10)
        if looks_at(shop) == before:
            break

    assert invoice_status(shop, bought) == "new"


def test_frequent_polling_finds_payments_without_hints(opened: Open):
    node, shop = opened(FOLLOW_SECONDS="1")
    pay_and_settle(node, shop)


@pytest.mark.parametrize("topics", [["sequence"], ["hashblock", "hashtx"]])
def test_zmq_reports_payments_and_blocks_also_after_the_node_restarted(opened: Open, topics: list[str]):
    address = f"tcp://127.0.0.1:{free_port()}"
    node, shop = opened(*(f"-zmqpub{topic}={address}" for topic in topics), BITCOIN_ZMQ=address)
    pay_and_settle(node, shop)

    node.stop()
    node.start()
    wait_for("the node to have its wallets", lambda: node.watching in node.call("listwallets"))

    pay_and_settle(node, shop)
    assert "Traceback" not in shop.said()


@pytest.mark.parametrize("kind", [LitecoinNode])
def test_a_zmq_message_of_litecoind_is_a_hint(kind: type[Node], opened: Open):
    """Debian builds litecoind without ZMQ: what one with it says is played here."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.linger, publisher.rcvtimeo = 0, 1000 * LONGEST
        address = f"tcp://127.0.0.1:{publisher.bind_to_random_port('tcp://127.0.0.1')}"
        node, shop = opened(LITECOIN_ZMQ=address)
        while publisher.recv() != b"\x01sequence":
            pass  # until the shop listens to that topic as well

        def tell(bought: Bought, txid: str) -> None:
            publisher.send_multipart([b"sequence", bytes.fromhex(txid) + b"A" + bytes(8), bytes(4)])

        pay_and_settle(node, shop, tell)


@pytest.mark.parametrize("kind", [Node, LitecoinNode])
def test_walletnotify_reports_payments_and_blocks(kind: type[Node], opened: Open, tmp_path: Path):
    command = ["env", f"DATA_DIR={tmp_path / 'shop' / 'data'}", "CRYPTONS_DOTENV=off", sys.executable, str(ROOT / "manage.py")]
    node, shop = opened(f"-walletnotify={shlex.join(command)} notify_payment %s --network {kind.code}")
    pay_and_settle(node, shop)


def test_a_signed_webhook_in_either_form_reports_a_payment(opened: Open):
    node, shop = opened(WEBHOOK_SECRET=f"an-older-secret,{SECRET}")
    pay_and_settle(node, shop, lambda bought, txid: accepted(tell_in_body(shop, hint(bought, txid))))
    pay_and_settle(node, shop, lambda bought, txid: accepted(tell_in_headers(shop, hint(bought, txid))))


def test_a_false_hint_changes_nothing(opened: Open):
    _, shop = opened(WEBHOOK_SECRET=SECRET)
    bought = buy(shop, stock_product(shop, stock=1))
    before = looks_at(shop)

    accepted(tell_in_headers(shop, hint(bought, "ab" * 32, confirmations=6)))
    wait_for("the shop to look", lambda: looks_at(shop) != before)

    assert invoice_status(shop, bought) == "new"


def accepted(answer: httpx.Response) -> None:
    assert answer.status_code == 202, answer.text


def hint(bought: Bought, txid: str, confirmations: int = 0) -> dict[str, Any]:
    """Each is another one: they say when they were sent."""
    data = {"orderId": bought.number, "transactionHash": txid, "amount": bought.amount, "confirmations": confirmations}
    return {"event": "payment.seen", "data": data | {"timestamp": datetime.now(UTC).isoformat()}}


def key() -> bytes:
    return b64decode(SECRET.removeprefix("whsec_"))


def tell_in_body(shop: Shop, content: dict[str, Any]) -> httpx.Response:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signature = hmac.new(key(), text.encode(), hashlib.sha256).hexdigest()
    return shop.http.post("/api/webhooks/payment", json={**content, "signature": signature})


def tell_in_headers(shop: Shop, content: dict[str, Any]) -> httpx.Response:
    body, webhook_id, timestamp = json.dumps(content).encode(), f"msg_{time.time_ns()}", str(time.time_ns() // 10**9)
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    signature = "v1," + b64encode(hmac.new(key(), signed, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    return shop.http.post("/api/webhooks/payment", content=body, headers=headers | {"Content-Type": "application/json"})
