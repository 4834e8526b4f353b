"""What buyers and miners can do to a payment on a real chain: spend one chosen coin twice, take blocks back, hide them."""

from dataclasses import dataclass
from decimal import Decimal

from tests.stack.bitcoind import Node

FEE = Decimal("0.00001")


def coins(sat: int) -> str:
    return str(Decimal(sat).scaleb(-8))


@dataclass
class Coin:
    """One coin of the buyers; each of its spends replaces the one before, if its fee is higher."""

    node: Node
    txid: str
    vout: int
    amount: Decimal
    spends: int = 0

    def sign(self, outputs: dict[str, str]) -> str:
        """A transaction that pays so, with a higher fee than the one before."""
        self.spends += 1
        left = self.amount - sum(Decimal(amount) for amount in outputs.values()) - FEE * self.spends**2
        change = self.node.call("getnewaddress", wallet=self.node.buyers)
        raw = self.node.call("createrawtransaction", [{"txid": self.txid, "vout": self.vout}], {**outputs, change: str(left)}, 0, True)
        signed = self.node.call("signrawtransactionwithwallet", raw, wallet=self.node.buyers)
        assert signed["complete"]
        return str(signed["hex"])

    def pay(self, outputs: dict[str, str]) -> str:
        """The transaction's id."""
        return str(self.node.call("sendrawtransaction", self.sign(outputs)))


def take_coin(node: Node) -> Coin:
    """A ripe one that nobody else will spend."""
    found = max(node.call("listunspent", 1, wallet=node.buyers), key=lambda coin: coin["amount"])
    node.call("lockunspent", False, [{"txid": found["txid"], "vout": found["vout"]}], wallet=node.buyers)
    return Coin(node, found["txid"], found["vout"], found["amount"])


def mine_without(node: Node, blocks: int, *transactions: str) -> None:
    """Blocks that leave everything in the mempool but these transactions, which are in the first of them."""
    address = node.call("getnewaddress", wallet=node.buyers)
    node.call("generateblock", address, list(transactions))
    for _ in range(blocks - 1):
        node.call("generateblock", address, [])


def take_back(node: Node, blocks: int) -> None:
    """The chain loses its last blocks; their transactions wait in the mempool again. The longer chain that wins is yet to be mined."""
    node.call("invalidateblock", node.call("getblockhash", node.call("getblockcount") - blocks + 1))


def mine_ahead(node: Node) -> str:
    """A block of which the node knows the header alone, as while it catches up; `submitblock` takes what is returned."""
    address = node.call("getnewaddress", wallet=node.buyers)
    block = str(node.call("generateblock", address, [], False)["hex"])
    node.call("submitheader", block[:160])
    return block
