"""Payouts whose node restarts, refuses, or does not know yet: none is given up that may still be paid, none takes another's place."""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.running import wait_for
from tests.stack.bitcoind import Node, restart
from tests.stack.lightning import LightningPair, Lnd
from tests.stack.senders import PayoutLedger, fill_purse, node_settings

SAT = 20_000
FEE_SAT = 50
"""What the payer takes for a payment that it hands on: more than the ten satoshis that are always allowed."""

# --- Chain --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def watching(node: Node, tmp_path: Path) -> Iterator[PayoutLedger]:
    """Without keys; its wallet holds nothing that other tests left there."""
    fresh = f"{node.watching}-{tmp_path.name}"
    wallet = {"BITCOIN_WALLET": fresh, "BITCOIN_DESCRIPTOR": public_descriptor(node, fresh)}
    ledger = PayoutLedger(tmp_path, node_settings(node, "") | wallet)
    yield ledger
    ledger.stop()


def public_descriptor(node: Node, name: str) -> str:
    """Of a new wallet `keys-…` that signs for it."""
    node.call("createwallet", wallet_name=f"keys-{name}", load_on_startup=True)
    descriptors = node.call("listdescriptors", wallet=f"keys-{name}")["descriptors"]
    return next(each["desc"] for each in descriptors if each["desc"].startswith("wpkh(") and not each["internal"])


def wallet_of(ledger: PayoutLedger) -> str:
    return ledger.shop.environment["BITCOIN_WALLET"]


def give_coins(ledger: PayoutLedger, node: Node, coins: int) -> None:
    keys = f"keys-{wallet_of(ledger)}"
    node.pay_many({node.call("getnewaddress", "", "bech32", wallet=keys): Decimal("0.01") for _ in range(coins)})
    node.mine()


def drafted(ledger: PayoutLedger, node: Node) -> str:
    (payout_id,) = ledger.make("BTC", SAT, [node.call("getnewaddress", wallet=node.buyers)])
    return payout_id


def coins_of(node: Node, psbt: str) -> set[tuple[str, int]]:
    return {(each["txid"], each["vout"]) for each in node.call("decodepsbt", psbt)["tx"]["vin"]}


def signed(ledger: PayoutLedger, node: Node, payout_id: str) -> str:
    return str(node.call("walletprocesspsbt", ledger.row(payout_id)["psbt"], wallet=f"keys-{wallet_of(ledger)}")["psbt"])


def test_payout_addresses_of_another_chain_or_an_unknown_version_are_refused(watching: PayoutLedger, node: Node):
    mine = [node.call("getnewaddress", "", kind, wallet=node.buyers) for kind in ("legacy", "p2sh-segwit", "bech32", "bech32m")]
    mainnet = ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"]
    witness_version_2 = node.call("decodescript", "5210" + "00" * 16)["address"]
    assert [bool(watching.check(each, "BTC", SAT)) for each in [*mine, *mainnet, witness_version_2]] == [False] * 4 + [True] * 3


def test_a_payout_fails_in_an_empty_wallet_and_waits_while_its_coins_are_locked(watching: PayoutLedger, node: Node):
    poor = drafted(watching, node)
    watching.sweep()
    assert watching.status(poor) == "failed"
    assert "Insufficient funds" in watching.row(poor)["error"]

    give_coins(watching, node, 1)
    first = drafted(watching, node)
    watching.sweep()
    second = drafted(watching, node)
    watching.sweep()
    assert (watching.status(first), watching.status(second)) == ("approved", "approved")
    assert "Insufficient funds" in watching.row(second)["error"]

    assert watching.sign(first, signed(watching, node, first)) == ""
    watching.sweep()
    node.mine()
    watching.sweep()
    assert watching.status(first) == "sent"
    assert watching.row(second)["psbt"]


def test_two_payouts_do_not_spend_the_same_coin_after_a_restart_of_the_node(watching: PayoutLedger, node: Node):
    poor = drafted(watching, node)
    watching.sweep()
    give_coins(watching, node, 2)
    first = drafted(watching, node)
    watching.sweep()
    restart(node)
    assert node.call("listlockunspent", wallet=wallet_of(watching)) == []

    second = drafted(watching, node)
    watching.sweep()
    both = [first, second]
    assert not coins_of(node, watching.row(first)["psbt"]) & coins_of(node, watching.row(second)["psbt"])
    assert [watching.sign(each, signed(watching, node, each)) for each in both] == ["", ""]
    watching.sweep()

    assert [watching.status(each) for each in [poor, *both]] == ["failed", "sent", "sent"]
    assert {watching.row(each)["reference"] for each in both} <= set(node.call("getrawmempool"))
    node.mine()


def test_a_payout_fails_once_the_transaction_that_spent_its_coin_is_final(watching: PayoutLedger, node: Node):
    drafted(watching, node)
    watching.sweep()
    give_coins(watching, node, 1)
    payout_id = drafted(watching, node)
    watching.sweep()
    assert watching.sign(payout_id, signed(watching, node, payout_id)) == ""
    keys = f"keys-{wallet_of(watching)}"
    sweep_out = node.call("sendall", [node.call("getnewaddress", wallet=node.buyers)], None, "unset", 1, wallet=keys)["txid"]

    watching.sweep()
    watching.sweep()
    assert watching.status(payout_id) == "unknown"
    assert "in no block yet" in watching.row(payout_id)["error"]
    assert sweep_out in node.call("getrawmempool")

    (block,) = node.mine()
    watching.sweep()
    assert watching.status(payout_id) == "unknown"
    assert "1 of 6 blocks deep" in watching.row(payout_id)["error"]
    node.call("invalidateblock", block)
    watching.sweep()
    assert "in no block yet" in watching.row(payout_id)["error"]

    node.mine(5)
    watching.sweep()
    assert "5 of 6 blocks deep" in watching.row(payout_id)["error"]
    node.mine()
    watching.sweep()
    row = watching.row(payout_id)
    assert (row["status"], row["reference"], row["next_try_at"]) == ("failed", None, None)


def test_a_payout_fails_once_it_is_final_that_its_coin_was_never_created(watching: PayoutLedger, node: Node):
    """It spends the change of another one, whose fee staff raised by their own wallet."""
    drafted(watching, node)
    watching.sweep()
    give_coins(watching, node, 1)
    keys = f"keys-{wallet_of(watching)}"
    first = drafted(watching, node)
    watching.sweep()
    assert watching.sign(first, signed(watching, node, first)) == ""
    watching.sweep()
    second = drafted(watching, node)
    watching.sweep()
    spent = watching.row(first)["reference"]
    assert {txid for txid, _ in coins_of(node, watching.row(second)["psbt"])} == {spent}
    psbt = signed(watching, node, second)

    paid = [round(each["value"] * 10**8) for each in node.call("gettransaction", spent, None, True, wallet=keys)["decoded"]["vout"]]
    node.call("bumpfee", spent, {"original_change_index": 1 - paid.index(SAT)}, wallet=keys)
    assert watching.sign(second, psbt) == ""
    node.mine()
    watching.sweep()
    assert watching.status(second) == "unknown"
    node.mine(5)
    watching.sweep()
    row = watching.row(second)
    assert (row["status"], "never made" in row["error"]) == ("failed", True), row["error"]


@pytest.mark.parametrize("is_change", [False, True])
def test_a_payout_that_the_node_refuses_can_be_given_up_by_spending_its_coin(node: Node, tmp_path: Path, is_change: bool):
    """By spending one of its coins, which the wallet has set aside, to the wallet itself."""
    purse = fill_purse(node, f"purse-{tmp_path.name}", coins=1)
    node.pay(node.call("getnewaddress", wallet=purse), "1")
    node.mine()
    ledger = PayoutLedger(tmp_path, node_settings(node, purse) | {"PAYOUT_FEE_MINIMUM": "1000"})
    restart(node, "-fallbackfee=0.12", "-maxtxfee=1")  # more than `sendrawtransaction` lets pass
    payout_id = drafted(ledger, node)
    ledger.sweep()
    row = ledger.row(payout_id)
    assert (row["status"], "does not take it now" in row["error"]) == ("unknown", True)
    txid, vout = ledger.coins(payout_id)[0].split(":")
    own = node.call("getrawchangeaddress", wallet=purse) if is_change else node.call("getnewaddress", wallet=purse)

    options = {"inputs": [{"txid": txid, "vout": int(vout)}], "fee_rate": 20}
    node.call("sendall", recipients=[own], options=options, wallet=purse)
    ledger.sweep()
    assert "in no block yet" in ledger.row(payout_id)["error"]
    node.mine(5)
    ledger.sweep()
    assert "5 of 6 blocks deep" in ledger.row(payout_id)["error"]
    node.mine()
    ledger.sweep()
    assert ledger.status(payout_id) == "failed"

    again = drafted(ledger, node)
    restart(node)
    ledger.sweep()
    ledger.stop()
    assert ledger.status(again) == "sent"


def test_a_payout_waits_while_fees_are_high_until_they_fall_or_staff_allow_more(node: Node, tmp_path: Path):
    """At 300 sat for each virtual byte."""
    purse = fill_purse(node, f"purse-{tmp_path.name}", coins=2)
    ledger = PayoutLedger(tmp_path, node_settings(node, purse) | {"PAYOUT_FEE_MINIMUM": "2"})
    restart(node, "-fallbackfee=0.003")
    first, second = (drafted(ledger, node) for _ in range(2))
    ledger.sweep()
    for payout_id in (first, second):
        row = ledger.row(payout_id)
        assert (row["status"], row["blocked_by"], row["psbt"]) == ("approved", "fee", "")
        assert "The network fee would be 0.0004" in row["error"]
    assert node.call("listlockunspent", wallet=purse) == []
    assert node.call("getrawmempool") == []

    ledger.allow(first, 50_000)
    ledger.sweep()
    assert (ledger.status(first), ledger.status(second)) == ("sent", "approved")
    assert 40_000 < ledger.row(first)["fee_base"] <= 50_000

    restart(node)
    ledger.sweep()
    ledger.stop()
    row = ledger.row(second)
    assert (row["status"], row["blocked_by"], row["fee_base"] < 4_000) == ("sent", "", True)
    node.mine()


def test_a_payout_that_the_mempool_refuses_is_sent_once_it_is_accepted(watching: PayoutLedger, node: Node):
    drafted(watching, node)
    watching.sweep()
    give_coins(watching, node, 1)
    payout_id = drafted(watching, node)
    watching.sweep()
    assert watching.sign(payout_id, signed(watching, node, payout_id)) == ""
    restart(node, "-minrelaytxfee=0.01")

    watching.sweep()
    row = watching.row(payout_id)
    assert (row["status"], "does not take it now" in row["error"]) == ("unknown", True)
    assert row["reference"] not in node.call("getrawmempool")

    restart(node)
    watching.sweep()
    assert watching.status(payout_id) == "sent"
    assert row["reference"] in node.call("getrawmempool")
    node.mine()


# --- Lightning ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LightningPair]:
    pair = LightningPair(tmp_path_factory.mktemp("lightning"), node)
    pair.start()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def far(node: Node, pair: LightningPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lnd]:
    """A third node that the shop reaches through the payer alone, who takes FEE_SAT for it."""
    far = Lnd("far", tmp_path_factory.mktemp("far") / "far", node)
    far.folder.mkdir(parents=True, exist_ok=True)
    far.start()
    pair.payer.connect(far)
    pair.payer.open_channel(far, "--local_amt=2000000", "--private")
    node.mine(6)
    wait_for("a channel to the far node", lambda: far.try_to("listchannels", "--active_only").get("channels"))
    point = far.cli("listchannels")["channels"][0]["channel_point"]
    policy = [f"--base_fee_msat={FEE_SAT * 1000}", "--fee_rate_ppm=0", "--time_lock_delta=40", f"--chan_point={point}"]
    wait_for("the payer's fee", lambda: not pair.payer.cli("updatechanpolicy", *policy)["failed_updates"])
    wait_for("the far node to know the fee", lambda: fee_told_by(far) == FEE_SAT * 1000)
    yield far
    far.stop()


def fee_told_by(far: Lnd) -> int:
    """In millisatoshis: what its invoices say that the last step costs."""
    request = far.cli("addinvoice", "--amt=1", "--private")["payment_request"]
    hints = far.cli("decodepayreq", request)["route_hints"]
    return int(hints[0]["hop_hints"][0]["fee_base_msat"]) if hints else 0


@pytest.fixture
def ledger(node: Node, pair: LightningPair, tmp_path: Path) -> Iterator[PayoutLedger]:
    ledger = PayoutLedger(tmp_path, node_settings(node, "") | pair.shop.settings())
    yield ledger
    ledger.stop()


def held_invoice(pair: LightningPair, preimage: bytes) -> str:
    """One that the payer neither takes nor refuses until it is told to."""
    payment_hash = hashlib.sha256(preimage).hexdigest()
    return str(pair.payer.cli("addholdinvoice", payment_hash, f"--amt={SAT}", "--expiry=86400")["payment_request"])


def paid_by_the_shop(pair: LightningPair) -> list[dict[str, Any]]:
    return list(pair.shop.cli("listpayments", "--include_incomplete")["payments"])


def test_a_lightning_payout_is_unknown_after_its_timeout_until_lnd_reports_the_end(ledger: PayoutLedger, pair: LightningPair):
    taken, refused = (hashlib.sha256(f"{ledger.shop.folder} {name}".encode()).digest() for name in ("taken", "refused"))
    paid, unpaid = ledger.make("BTC-LN", SAT * 1000, [held_invoice(pair, taken), held_invoice(pair, refused)])
    before = len(paid_by_the_shop(pair))

    ledger.sweep(patience=2)
    ledger.sweep(patience=2)
    assert (ledger.status(paid), ledger.status(unpaid)) == ("unknown", "unknown")

    for each in (taken, refused):
        held = hashlib.sha256(each).hexdigest()
        wait_for("it to arrive", lambda held=held: pair.payer.cli("lookupinvoice", held)["state"] == "ACCEPTED")  # type: ignore[misc]
    pair.payer.cli("settleinvoice", taken.hex())
    pair.payer.cli("cancelinvoice", hashlib.sha256(refused).hexdigest())
    wait_for("both to end", lambda: all(each["status"] != "IN_FLIGHT" for each in paid_by_the_shop(pair)))
    ledger.sweep()

    assert (ledger.status(paid), ledger.status(unpaid)) == ("sent", "failed")
    assert len(paid_by_the_shop(pair)) == before + 2
    for file in (ledger.shop.data).glob("cryptons.sqlite3*"):
        assert taken.hex().encode() not in file.read_bytes()
        assert taken not in file.read_bytes()


def test_a_payout_to_a_receiver_that_is_down_fails_and_can_be_repeated(ledger: PayoutLedger, pair: LightningPair):
    request = pair.payer.cli("addinvoice", f"--amt={SAT}", "--expiry=86400")
    (payout_id,) = ledger.make("BTC-LN", SAT * 1000, [request["payment_request"]])
    pair.payer.stop()
    wait_for("the shop to see that", lambda: not pair.shop.cli("listchannels", "--active_only")["channels"])
    ledger.sweep()
    assert ledger.status(payout_id) == "failed"

    pair.payer.start()
    pair.connect()
    wait_for("a way to the payer", lambda: pair.shop.try_to("queryroutes", pair.payer.pubkey(), str(SAT)))
    (again,) = ledger.make("BTC-LN", SAT * 1000, [request["payment_request"]])
    ledger.sweep()
    assert ledger.status(again) == "sent"
    assert pair.payer.cli("lookupinvoice", request["r_hash"])["amt_paid_sat"] == str(SAT)


def test_a_lightning_payout_waits_when_the_route_exceeds_the_fee_limit_until_staff_allow_more(
    ledger: PayoutLedger, far: Lnd, pair: LightningPair
):
    request = far.cli("addinvoice", "--amt=1000", "--expiry=86400", "--private")
    (payout_id,) = ledger.make("BTC-LN", 1_000_000, [request["payment_request"]])
    about, problem = ledger.fee_words(payout_id)
    assert (about.partition(",")[0], "it may be at most" in problem) == (f"about 0.000000{FEE_SAT}000 BTC", True)

    attempts = []
    for _ in range(2):
        ledger.sweep()
        row = ledger.row(payout_id)
        assert (row["status"], row["blocked_by"], row["reference"]) == ("approved", "fee", None), row["error"]
        attempts.append(row["attempt_before"])

    ledger.allow(payout_id, FEE_SAT * 1000)
    ledger.sweep()
    row = ledger.row(payout_id)
    assert [0, *attempts[1:], row["attempt_before"]] == sorted({*attempts, row["attempt_before"]}), "LND numbers each attempt higher"
    assert (row["status"], row["fee_base"], row["blocked_by"]) == ("sent", FEE_SAT * 1000, "")
    assert far.cli("lookupinvoice", request["r_hash"])["amt_paid_sat"] == "1000"
    assert [each["status"] for each in paid_by_the_shop(pair) if each["payment_hash"] == request["r_hash"]] == ["SUCCEEDED"]
