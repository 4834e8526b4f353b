"""The fake bitcoind of the ordinary tests is honest: the same story, played on it and on a real node, gets the same answers."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fake_bitcoind import FakeBitcoind
from tests.stack.bitcoind import Node, RpcError

NO_HASH = "00" * 32
DESCRIPTOR_OF = "merchant"


class FakeNode(Node):
    """The fake, asked in the same way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.fake = FakeBitcoind()
        self.host, self.port, self.is_ours = "127.0.0.1", self.fake.port, True
        self.user, self.password = self.fake.user, self.fake.password
        self.http = self._client()

    def start(self, *more: str) -> None:
        self.fake.start()

    def stop(self) -> None:
        self.fake.stop()


class Story:
    """What happens to one shop's wallet; `answers` keeps what the node said by the way, errors as their codes."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.answers: dict[str, Any] = {}

    def ask(self, name: str, method: str, *parameters: Any, wallet: str = "") -> Any:
        try:
            answer = self.node.call(method, *parameters, wallet=wallet)
        except RpcError as error:
            answer = {"error": error.code}
        self.answers[name] = answer
        return answer

    def play(self) -> None:
        for name in ("miner", DESCRIPTOR_OF):
            self.node.call("createwallet", name)
        self.home = self.node.call("getnewaddress", "", "bech32", wallet="miner")
        self.node.call("generatetoaddress", 110, self.home)
        self.make_the_wallet()
        self.pay_and_mine()
        self.spend_twice()
        self.take_blocks_back()
        self.mine_to_the_shop()
        self.pay_out()
        self.ask_nonsense()

    def make_the_wallet(self) -> None:
        descriptor = next(
            each["desc"]
            for each in self.ask("keys", "listdescriptors", wallet=DESCRIPTOR_OF)["descriptors"]
            if each["desc"].startswith("wpkh(") and not each["internal"]
        )
        self.ask("no wallet", "getwalletinfo", wallet="shop")
        self.ask("nothing to load", "loadwallet", "shop", True)
        self.ask("made", "createwallet", "shop", True, True, "", True, True, True)
        self.ask("made twice", "createwallet", "shop", True, True, "", True, True, True)
        self.ask("loaded already", "loadwallet", "shop", True)
        self.ask("no keys yet", "getnewaddress", "order_0", "bech32", wallet="shop")
        self.ask("no descriptors yet", "listdescriptors", wallet="shop")
        self.ask("descriptor", "getdescriptorinfo", descriptor)
        self.ask("descriptor without keys", "getdescriptorinfo", "wpkh(xx)")
        request = {"desc": descriptor, "active": True, "internal": False, "timestamp": "now", "range": [0, 99]}
        self.ask("watched", "importdescriptors", [request], wallet="shop")
        self.ask("watched without checksum", "importdescriptors", [request | {"desc": descriptor.partition("#")[0]}], wallet="shop")
        self.ask("unloaded", "unloadwallet", "shop")
        self.ask("loaded", "loadwallet", "shop", True)
        self.addresses = [self.ask("address", "getnewaddress", f"order_{number}", "bech32", wallet="shop") for number in range(6)]
        self.ask("address of no kind", "getnewaddress", "", "nonsense", wallet="shop")
        self.ask("descriptors", "listdescriptors", wallet="shop")
        self.ask("wallet", "getwalletinfo", wallet="shop")
        self.ask("labels", "listlabels", wallet="shop")
        self.ask("first address", "deriveaddresses", descriptor, [0, 0])
        self.ask("address info", "getaddressinfo", self.addresses[0], wallet="shop")
        self.make_it_again(descriptor)

    def make_it_again(self, descriptor: str) -> None:
        self.ask("made again", "createwallet", "again", True, True, "", True, True, True)
        request = {"desc": descriptor, "active": True, "internal": False, "timestamp": 1, "range": [0, 99], "next_index": 6}
        self.ask("watched again", "importdescriptors", [request], wallet="again")
        self.answers["next address"] = self.ask("address after those", "getnewaddress", "", "bech32", wallet="again") not in self.addresses
        self.ask("its address info", "getaddressinfo", self.addresses[0], wallet="again")
        self.ask("address info of another's", "getaddressinfo", self.home, wallet="again")
        self.ask("totals", "getnettotals")
        self.answers["births"] = [self.answers[f"{name}address info"]["timestamp"] == 1 for name in ("", "its ")]

    def look(self, name: str, txid: str, since: str = "") -> None:
        self.node.call("syncwithvalidationinterfacequeue")  # a wallet learns of blocks and transactions a little later than its node
        self.ask(f"{name}: transaction", "gettransaction", txid, True, wallet="shop")
        listing = self.ask(f"{name}: listing", "listsinceblock", since, 6, True, True, wallet="shop")
        self.answers[f"{name}: is listed"] = sorted(
            (entry["category"], entry["amount"], entry["confirmations"]) for entry in listing["transactions"] if entry["txid"] == txid
        )
        self.answers[f"{name}: is removed"] = sum(entry["txid"] == txid for entry in listing["removed"])

    def pay_and_mine(self) -> None:
        paid = self.node.call("sendtoaddress", self.addresses[0], "0.5", wallet="miner")
        self.look("waiting", paid)
        self.ask("decoded", "gettransaction", paid, True, True, wallet="shop")
        self.ask("mempool entry", "getmempoolentry", paid)
        (mined,) = self.node.call("generatetoaddress", 1, self.home)
        self.look("mined", paid)
        self.look("mined, from its block on", paid, mined)
        self.ask("not in the mempool", "getmempoolentry", paid)
        self.ask("header", "getblockheader", mined)
        self.ask("chain", "getblockchaininfo")
        self.ask("network", "getnetworkinfo")
        self.ask("received", "listreceivedbyaddress", 0, True, True, self.addresses[0], wallet="shop")
        self.ask("received nothing", "listreceivedbyaddress", 0, True, True, self.addresses[1], wallet="shop")
        self.ask("miner's listing", "listsinceblock", self.node.call("getblockhash", 110), 1, True, False, wallet="miner")
        self.ask("miner's change", "listsinceblock", self.node.call("getblockhash", 110), 1, True, False, True, wallet="miner")

    def sign(self, coin: dict[str, Any], outputs: dict[str, str], fee: str) -> str:
        left = coin["amount"] - sum(Decimal(amount) for amount in outputs.values()) - Decimal(fee)
        place = [{"txid": coin["txid"], "vout": coin["vout"]}]
        raw = self.node.call("createrawtransaction", place, {**outputs, self.home: str(left)}, 0, True)
        return str(self.node.call("signrawtransactionwithwallet", raw, wallet="miner")["hex"])

    def spend_twice(self) -> None:
        coin = max(self.node.call("listunspent", 1, wallet="miner"), key=lambda coin: coin["amount"])
        first = self.sign(coin, {self.addresses[1]: "1.0"}, "0.0001")
        replaced = self.node.call("sendrawtransaction", first)
        second = self.sign(coin, {self.addresses[2]: "1.0"}, "0.0003")
        replacing = self.node.call("sendrawtransaction", second)
        self.look("replaced", replaced)
        self.look("replacing", replacing)
        self.ask("too cheap", "sendrawtransaction", first)
        before = self.node.call("getbestblockhash")
        self.node.call("generateblock", self.home, [self.sign(coin, {}, "0.0009")])
        self.look("double-spent", replacing)
        self.look("double-spent, since the block before", replacing, before)
        self.ask("spent already", "sendrawtransaction", first)

    def take_blocks_back(self) -> None:
        paid = self.node.call("sendtoaddress", self.addresses[3], "0.25", wallet="miner")
        (lost,) = self.node.call("generatetoaddress", 1, self.home)
        self.node.call("invalidateblock", lost)
        self.look("taken back", paid, lost)
        other = self.node.call("getnewaddress", "", "bech32", wallet="miner")
        self.node.call("generatetoaddress", 2, other)
        self.look("mined again", paid, lost)
        self.ask("lost header", "getblockheader", lost)
        coin = max(self.node.call("listunspent", 1, wallet="miner"), key=lambda coin: coin["amount"])
        stolen = self.node.call("sendrawtransaction", self.sign(coin, {self.addresses[5]: "1.0"}, "0.0001"))
        (lost,) = self.node.call("generatetoaddress", 1, self.home)
        self.node.call("invalidateblock", lost)
        self.node.call("generateblock", other, [self.sign(coin, {}, "0.0009")])
        self.look("lost in a reorg", stolen, lost)

    def mine_to_the_shop(self) -> None:
        (block,) = self.node.call("generatetoaddress", 1, self.addresses[4])
        (txid,) = {
            entry["txid"]
            for entry in self.node.call("listsinceblock", "", 1, True, True, wallet="shop")["transactions"]
            if entry["category"] == "immature"
        }
        self.look("coinbase", txid)
        self.node.call("invalidateblock", block)
        self.look("orphan", txid)
        self.node.call("generatetoaddress", 1, self.home)

    def pay_out(self) -> None:
        self.node.call("sendtoaddress", self.node.call("getnewaddress", "", "bech32", wallet=DESCRIPTOR_OF), "3", wallet="miner")
        self.node.call("generatetoaddress", 1, self.home)
        target = self.node.call("getnewaddress", "", "bech32", wallet="miner")
        self.ask("address is valid", "validateaddress", target)
        self.ask("address is not valid", "validateaddress", "nonsense")
        made = self.ask("draft", "walletcreatefundedpsbt", [], [{target: "2.7"}], 0, {"lockUnspents": True}, True, wallet=DESCRIPTOR_OF)
        self.ask("draft decoded", "decodepsbt", made["psbt"])
        (coin, *_) = self.ask("locked", "listlockunspent", wallet=DESCRIPTOR_OF)
        self.ask("unfinished", "finalizepsbt", made["psbt"])
        signed = self.ask("signed", "walletprocesspsbt", made["psbt"], wallet=DESCRIPTOR_OF)
        self.ask("combined", "combinepsbt", [made["psbt"], signed["psbt"]])
        raw = self.ask("final", "finalizepsbt", signed["psbt"])["hex"]
        self.ask("raw decoded", "decoderawtransaction", raw)
        self.ask("given back", "lockunspent", True, [coin], wallet=DESCRIPTOR_OF)
        self.ask("given back twice", "lockunspent", True, [coin], wallet=DESCRIPTOR_OF)
        self.ask("coin, before", "gettxout", coin["txid"], coin["vout"], True)
        sent = self.ask("sent", "sendrawtransaction", raw)
        self.ask("sent twice", "sendrawtransaction", raw)
        self.ask("coin, after", "gettxout", coin["txid"], coin["vout"], True)
        self.ask("coin, in the chain", "gettxout", coin["txid"], coin["vout"], False)
        self.ask("sent: transaction", "gettransaction", sent, True, wallet=DESCRIPTOR_OF)
        self.node.call("generatetoaddress", 1, self.home)
        self.ask("sent after it was mined", "sendrawtransaction", raw)
        self.ask("lock of a spent coin", "lockunspent", False, [coin], wallet=DESCRIPTOR_OF)
        self.ask("poor", "walletcreatefundedpsbt", [], [{target: "70000"}], 0, {}, True, wallet=DESCRIPTOR_OF)
        self.ask("to nobody", "walletcreatefundedpsbt", [], [{"nonsense": "1"}], 0, {}, True, wallet=DESCRIPTOR_OF)
        watched = [{target: "0.1"}], 0, {"changeAddress": self.addresses[5]}, True
        self.ask("draft of the watch-only wallet", "walletcreatefundedpsbt", [], *watched, wallet="shop")

    def ask_nonsense(self) -> None:
        self.ask("no method", "nonsense")
        self.ask("no transaction", "gettransaction", NO_HASH, True, wallet="shop")
        self.ask("no hash", "gettransaction", "nonsense", True, wallet="shop")
        self.ask("no block", "listsinceblock", NO_HASH, 6, True, True, wallet="shop")
        self.ask("no block hash", "listsinceblock", "nonsense", 6, True, True, wallet="shop")
        self.ask("no height", "getblockhash", 99_999)
        self.ask("no address", "listreceivedbyaddress", 0, True, True, "nonsense", wallet="shop")
        self.ask("no psbt", "decodepsbt", "nonsense")
        self.ask("no raw transaction", "sendrawtransaction", "nonsense")
        self.ask("lock of an unknown coin", "lockunspent", False, [{"txid": NO_HASH, "vout": 0}], wallet=DESCRIPTOR_OF)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the fake's, the real node's)"""
    return tuple(_answers(kind(tmp_path_factory.mktemp("honest"))) for kind in (FakeNode, Node))  # type: ignore[misc]


def _answers(node: Node) -> dict[str, Any]:
    if not node.is_ours:
        pytest.fail("This test needs a chain of its own.", pytrace=False)
    node.start()
    story = Story(node)
    try:
        story.play()
    finally:
        node.stop()
    return story.answers


def differences(fake: Any, real: Any, path: str) -> Iterator[str]:
    """Each field that the fake has is there, of the same type; lists are as alike as their entries."""
    match fake, real:
        case dict(), dict():
            for name, value in fake.items():
                if name in real:
                    yield from differences(value, real[name], f"{path}.{name}")
                else:
                    yield f"{path}.{name} is not in the real answer"
        case list(), list():
            if bool(fake) != bool(real):
                yield f"{path} has {len(fake)} entries, not {len(real)}"
            for value in fake:
                found = [list(differences(value, other, f"{path}[]")) for other in real]
                yield from min(found, key=len, default=[])
        case _:
            if type(fake) is not type(real):
                yield f"{path} is {fake!r}, not {real!r}"


def test_the_fake_node_answers_in_the_same_format_as_the_real_node(answers: tuple[dict[str, Any], dict[str, Any]]) -> None:
    fake, real = answers
    assert fake.keys() == real.keys()
    assert [text for name in real for text in differences(fake[name], real[name], name)] == []


SAME: tuple[Callable[[Any], bool], ...] = (
    lambda answer: isinstance(answer, dict) and "error" in answer and isinstance(answer["error"], int),
    lambda answer: isinstance(answer, bool | int) or answer is None,
)


def test_the_fake_node_answers_with_the_same_error_codes_as_the_real_node(answers: tuple[dict[str, Any], dict[str, Any]]) -> None:
    fake, real = answers
    codes = {name: answer["error"] for name, answer in real.items() if SAME[0](answer)}
    assert {name: fake[name]["error"] if SAME[0](fake[name]) else fake[name] for name in codes} == codes
    assert len(codes) > 15


def test_the_fake_node_reports_each_payment_like_the_real_node(answers: tuple[dict[str, Any], dict[str, Any]]) -> None:
    fake, real = answers
    stories = [name for name in real if name.endswith((": is listed", ": is removed"))]
    assert {name: fake[name] for name in stories} == {name: real[name] for name in stories}
    for name in [name for name in real if name.endswith(": transaction") and name != "sent: transaction"]:
        told, expected = fake[name], real[name]
        assert told["confirmations"] == expected["confirmations"], name
        assert told.get("in_mempool") == expected.get("in_mempool"), name
        assert [len(told[key]) for key in ("walletconflicts", "mempoolconflicts", "details")] == [
            len(expected[key]) for key in ("walletconflicts", "mempoolconflicts", "details")
        ], name


def test_the_fake_node_returns_the_fields_that_the_shop_reads(answers: tuple[dict[str, Any], dict[str, Any]]) -> None:
    fake, _ = answers
    (entry,) = fake["mined: listing"]["transactions"]
    assert {"txid", "vout", "address", "category", "amount", "confirmations", "timereceived"} <= entry.keys()
    assert {"blockhash", "blockheight", "blocktime", "walletconflicts", "mempoolconflicts"} <= entry.keys()
