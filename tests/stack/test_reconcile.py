"""The records of a real bitcoind and a real LND compared with the ledger of the shop that they are paid through."""

import csv
import io
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from tests.running import LONGEST, Shop, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import Bought, buy, buy_with_lightning, invoice_status, stock_product, wait_until_settled
from tests.stack.chain import coins, mine_without, take_back, take_coin
from tests.stack.conftest import open_node, open_shop
from tests.stack.ledger import change_ledger, differences, manage, notes, read_ledger, reference_of
from tests.stack.lightning import LightningPair
from tests.stack.senders import fill_purse
from tests.stack.test_payouts import admin_of, draft, overpaid_order, payout, press

FINAL = 10
"""So deep that no follower asks again."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One of its own: here the wallets' whole records are told, and blocks are taken back."""
    yield from open_node(Node(tmp_path_factory.mktemp("bitcoind")))


@pytest.fixture(scope="module")
def pair(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightningPair]:
    pair = LightningPair(tmp_path_factory.mktemp("lightning"), node)
    pair.start()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def purse(node: Node) -> str:
    return fill_purse(node, f"reconciled-{node.watching}", coins=20)


@pytest.fixture(scope="module")
def shop(node: Node, pair: LightningPair, purse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    settings = pair.shop.settings() | {"BITCOIN_PAYOUT_WALLET": purse, "LIGHTNING_ROUND_SECONDS": "2"}
    yield from open_shop(node, tmp_path_factory.mktemp("reconciled"), settings)


@pytest.fixture(scope="module")
def product(shop: Shop) -> str:
    return stock_product(shop, stock=1000)


def pay_over_lightning(shop: Shop, pair: LightningPair, product: str) -> Bought:
    bought, payment = buy_with_lightning(shop, product)
    assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
    return bought


def pay_on_the_chain(shop: Shop, node: Node, product: str) -> Bought:
    bought = buy(shop, product)
    node.pay(bought.address, bought.amount)
    return bought


def test_the_ledger_and_the_nodes_agree_after_payments_of_every_kind(shop: Shop, node: Node, pair: LightningPair, product: str):
    """In one transaction and in two, two invoices in one, replaced before it was mined, over Lightning, and not at all."""
    whole, parts, shared, other, replaced, unpaid = (buy(shop, product) for _ in range(6))
    node.pay(whole.address, whole.amount)
    half = (Decimal(parts.amount) / 2).quantize(Decimal("1E-8"))
    node.pay(parts.address, str(half))
    node.pay(parts.address, str(Decimal(parts.amount) - half))
    node.call("sendmany", "", {shared.address: shared.amount, other.address: other.amount}, wallet=node.buyers)
    coin = take_coin(node)
    coin.pay({replaced.address: replaced.amount})
    wait_for("the first of two transactions to be seen", lambda: invoice_status(shop, replaced) == "processing")
    coin.pay({replaced.address: replaced.amount})
    lightning = [pay_over_lightning(shop, pair, product) for _ in range(3)]
    node.mine(2)
    wait_until_settled(shop, [whole, parts, shared, other, replaced, *lightning])

    code, told, _ = manage(shop, "reconcile")

    assert code == 0, told
    assert told.splitlines()[1:] == [
        "BTC: 6 payments in the node's records.",
        "BTC-LN: 3 payments in the node's records.",
        "No differences.",
    ]
    assert invoice_status(shop, unpaid) == "new"


def test_an_unconfirmed_payment_is_no_difference(shop: Shop, node: Node, product: str):
    bought = pay_on_the_chain(shop, node, product)
    wait_for("it to be seen", lambda: invoice_status(shop, bought) == "processing")
    assert differences(shop) == []
    node.mine()
    wait_until_settled(shop, [bought])


@pytest.mark.parametrize("network", ["BTC", "BTC-LN"])
def test_a_missing_payment_and_a_changed_amount_are_each_reported_alone(
    network: str, shop: Shop, node: Node, pair: LightningPair, product: str
):
    bought = pay_on_the_chain(shop, node, product) if network == "BTC" else pay_over_lightning(shop, pair, product)
    node.mine(FINAL)
    wait_until_settled(shop, [bought])
    reference = reference_of(shop, bought)
    assert differences(shop) == []

    change_ledger(shop, "update payments_payment set amount_base = amount_base + 1 where reference = ?", reference)
    ((kind, code, subject, text),) = differences(shop)
    assert (kind, code, subject) == ("amount differs", network, reference)
    assert bought.number in text
    change_ledger(shop, "update payments_payment set amount_base = amount_base - 1 where reference = ?", reference)
    assert differences(shop) == []

    columns = ", ".join(str(row[1]) for row in read_ledger(shop, "pragma table_info(payments_payment)"))
    (row,) = read_ledger(shop, f"select {columns} from payments_payment where reference = ?", reference)
    change_ledger(shop, "delete from payments_payment where reference = ?", reference)
    ((kind, code, subject, text),) = differences(shop)
    assert (kind, code, subject) == ("missing in the shop", network, reference)
    assert bought.number in text
    assert differences(shop, "--network", "BTC" if network == "BTC-LN" else "BTC-LN") == []
    assert differences(shop, "--since", "2020-01-01", "--until", "2020-02-01") == []
    change_ledger(shop, f"insert into payments_payment ({columns}) values ({', '.join('?' * len(row))})", *row)
    assert differences(shop) == []


def test_a_payment_received_while_the_shop_was_off_is_reported_until_it_runs(shop: Shop, node: Node, pair: LightningPair, product: str):
    chain, (request, payment) = buy(shop, product), buy_with_lightning(shop, product)
    shop.stop()
    try:
        txid = node.pay(chain.address, chain.amount)
        assert pair.payer.pay(payment["lightning"])["status"] == "SUCCEEDED"
        told = sorted(differences(shop))
        assert [row[:2] for row in told] == [["missing in the shop", "BTC"], ["missing in the shop", "BTC-LN"]]
        assert told[0][2].partition(":")[0] == txid
        assert [bought.number in row[3] for bought, row in zip((chain, request), told, strict=True)] == [True, True]
    finally:
        shop.start()
    node.mine()
    wait_until_settled(shop, [chain, request])
    assert differences(shop) == []


def test_a_reorg_while_the_shop_was_off_is_reported_until_it_runs(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    txid = node.pay(bought.address, bought.amount)
    node.mine()
    wait_until_settled(shop, [bought])
    shop.stop()
    try:
        take_back(node, 1)
        mine_without(node, 2)
        (row,) = differences(shop)
        assert row[:2] == ["status differs", "BTC"]
        assert row[2].partition(":")[0] == txid
        assert "For the node it is waiting for a block, for the shop in block" in row[3]
    finally:
        shop.start()
    wait_for("the shop to hear of it", lambda: invoice_status(shop, bought) == "processing")
    assert differences(shop) == []
    node.mine()
    wait_until_settled(shop, [bought])


def test_a_payment_that_the_node_does_not_know_is_reported(shop: Shop, node: Node, product: str):
    bought = pay_on_the_chain(shop, node, product)
    node.mine(FINAL)
    wait_until_settled(shop, [bought])
    reference = reference_of(shop, bought)
    invented = f"{'0' * 64}:0"
    change_ledger(shop, "update payments_payment set reference = ? where reference = ?", invented, reference)
    assert sorted(row[:3] for row in differences(shop)) == [
        ["missing at the node", "BTC", invented],
        ["missing in the shop", "BTC", reference],
    ]
    change_ledger(shop, "update payments_payment set reference = ? where reference = ?", reference, invented)


def test_payments_to_the_wallet_without_an_invoice_are_notes_and_no_differences(shop: Shop, node: Node, pair: LightningPair):
    address = node.call("getnewaddress", "a friend", "bech32", wallet=node.watching)
    node.pay(address, "0.01234567")
    request = pair.shop.cli("addinvoice", "--amt=777")
    pair.payer.pay(request["payment_request"])

    assert differences(shop) == []

    listed = notes(shop)
    assert f"0.01234567 BTC was received at {address}" in listed
    assert f"0.00000777000 BTC-LN was received at {request['r_hash']}" in listed


def test_reconciling_with_a_node_that_does_not_answer_fails_and_says_so(shop: Shop, pair: LightningPair):
    pair.shop.freeze()
    try:
        code, told, _ = manage(shop, "reconcile", "--network", "BTC-LN")
    finally:
        pair.shop.thaw()
    assert code == 2
    assert "BTC-LN: NOT COMPARED. LND does not answer" in told


def test_payouts_are_compared_with_the_wallet_that_sent_them(shop: Shop, node: Node, pair: LightningPair, purse: str):
    _, invoice = overpaid_order(shop, node)
    chain = draft(shop, invoice, amount="0.00005", destination=node.call("getnewaddress", wallet=node.buyers))
    request = pair.payer.cli("addinvoice", "--amt=5000", "--expiry=86400")["payment_request"]
    lightning = draft(shop, invoice, network="BTC-LN", amount="0.00005", destination=request)
    for each in (chain, lightning):
        press(admin_of(shop), f"/admin/payments/payout/{each['id']}/act/approve/")
        wait_for("the payout to be sent", lambda each=each: payout(shop, each["id"])["status"] == "sent")  # type: ignore[misc]
    node.mine()
    assert differences(shop) == []

    txid = node.call("sendtoaddress", node.call("getnewaddress", wallet=node.buyers), "0.001", wallet=purse)
    (row,) = differences(shop)
    assert row[:3] == ["sent without a payout", "BTC", txid]
    assert row[3].startswith("0.00100000 BTC to ")

    for each, invented in ((chain, "ab" * 32), (lightning, "cd" * 32)):
        change_ledger(shop, "update payments_payout set reference = ? where id = ?", invented, each["id"].replace("-", ""))
    sent = payout(shop, chain["id"])
    assert sent["reference"] == "ab" * 32
    told = sorted(row[:2] for row in differences(shop))
    unordered = [["sent without a payout", "BTC"]] * 2 + [["sent without a payout", "BTC-LN"]]
    assert told == [["payout differs", "BTC"], ["payout differs", "BTC-LN"], *unordered]


def test_a_payment_by_lnd_without_a_payout_is_reported_unless_it_fails(shop: Shop, pair: LightningPair):
    before = unordered_over_lightning(shop)
    gone = pair.payer.cli("addinvoice", "--amt=1234")
    preimage = pair.payer.cli("lookupinvoice", gone["r_hash"])["r_preimage"]
    assert pair.shop.pay(gone["payment_request"])["status"] == "SUCCEEDED"
    flying = sha256(b"nobody takes it").hexdigest()
    request = pair.payer.cli("addholdinvoice", flying, "--amt=4321")["payment_request"]
    command = [*pair.shop.lncli(), "payinvoice", "--force", "--json", request]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sender:
        try:
            wait_for("it to arrive", lambda: pair.payer.cli("lookupinvoice", flying)["state"] == "ACCEPTED")

            told = unordered_over_lightning(shop)

            assert set(told) - set(before) == {gone["r_hash"], flying}
            assert told[gone["r_hash"]].startswith("0.00001234000 BTC-LN left LND by a payment that began at ")
            assert told[flying].startswith("0.00004321000 BTC-LN is leaving LND by a payment that began at ")
            assert differences(shop, "--network", "BTC-LN", "--until", "2020-02-01", "--since", "2020-01-01") == []
        finally:
            pair.payer.cli("cancelinvoice", flying)
        assert sender.wait(LONGEST) != 0
    assert set(unordered_over_lightning(shop)) - set(before) == {gone["r_hash"]}

    _, *said = manage(shop, "reconcile")
    assert preimage not in "".join([*said, shop.said()])
    for file in shop.data.glob("cryptons.sqlite3*"):
        assert preimage.encode() not in file.read_bytes()


def unordered_over_lightning(shop: Shop) -> dict[str, str]:
    """What is said of each payment."""
    rows = differences(shop, "--network", "BTC-LN")
    return {row[2]: row[3] for row in rows if row[0] == "sent without a payout"}


def test_the_exported_ledger_adds_up_to_the_stored_payments(shop: Shop, tmp_path: Path):
    file = tmp_path / "ledger.csv"
    code, _, said = manage(shop, "export_ledger", "--output", str(file))
    assert code == 0, said

    rows = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))
    for network, unit in (("BTC", 8), ("BTC-LN", 11)):
        safe = sum(int(row["amount_base"]) for row in rows if (row["network"], row["status"]) == (network, "settled"))
        stored = read_ledger(shop, "select sum(amount_base) from payments_payment where network = ? and status = 'settled'", network)
        assert stored == [(safe,)]
        assert f"{network}: confirmed {Decimal(safe).scaleb(-unit):f} = " in said
    listed = shop.http.get("/api/payments", params={"limit": 100, "status": "settled"}, headers=shop.staff()).json()
    assert listed["meta"]["total"] == len([row for row in rows if (row["kind"], row["status"]) == ("payment", "settled")])
    assert {row["value"] for row in listed["data"]} <= {row["value"] for row in rows}


def test_a_payment_of_one_satoshi_too_little_is_no_difference(shop: Shop, node: Node, product: str):
    bought = buy(shop, product)
    node.pay(bought.address, coins(int(Decimal(bought.amount) * 10**8) - 1))
    node.mine()
    wait_until_settled(shop, [bought])
    assert [row for row in differences(shop) if row[0] not in ("sent without a payout", "payout differs")] == []
