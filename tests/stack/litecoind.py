"""A real litecoind on regtest, with extension blocks (MWEB) as on the main chain."""

import secrets

from bitcoin import base58
from bitcoin.core import Hash

from tests.stack.bitcoind import Node

MWEB_HEIGHT = 432
"""The first block with an extension block; litecoind dies unless money moves into it."""


class LitecoinNode(Node):
    program = "litecoind"
    choice = {"PKG": "litecoind", "SUITE": "trixie"}
    code = "LTC"
    prefix = "LITECOIN"
    default_port = "19443"
    options = ("-mempoolreplacement=1",)  # off by default, but who mines may see it otherwise

    def make_wallets(self) -> None:
        super().make_wallets()
        self.key = extended_key()
        request = {"desc": self._with_checksum(f"wpkh({self.key}/0/*)"), "range": [0, 99], "timestamp": "now"}
        self.call("importmulti", [request], wallet=self.merchant)
        if self.is_ours:
            self.open_mweb()

    def open_mweb(self) -> None:
        """The chain has extension blocks from now on, and in them the wallet `hidden` of one more buyer has one coin."""
        self.hidden = self.buyers.replace("buyers", "hidden")
        self.call("createwallet", wallet_name=self.hidden, load_on_startup=True)
        self.mine(MWEB_HEIGHT - 1 - self.call("getblockcount"))
        self.hide(1)

    def hide(self, coins: int) -> None:
        """Give so many coins to the wallet `hidden`. Each takes litecoind a third of a second to move into an extension block."""
        for _ in range(coins):
            self.pay(self.call("getnewaddress", "", "mweb", wallet=self.hidden), "5")
        self.mine()

    def descriptor(self) -> str:
        return self.public(f"wpkh({self.key}/0/*)")

    def public(self, descriptor: str) -> str:
        """The same without private keys."""
        return str(self.call("getdescriptorinfo", descriptor)["descriptor"])

    def mine_nothing(self, blocks: int) -> None:
        """Blocks that leave everything in the mempool; `generateblock` cannot make one with an extension block."""
        waiting = self.call("getrawmempool")
        for fee in (-(10**8), 10**8):
            for txid in waiting:
                self.call("prioritisetransaction", txid, None, fee)
            if fee < 0:
                self.mine(blocks)
        assert set(waiting) <= set(self.call("getrawmempool"))

    def pay_from_mweb(self, address: str, amount: str) -> str:
        """The id of the MWEB transaction; the one that pays is made by the miner."""
        return str(self.call("sendtoaddress", address, amount, wallet=self.hidden))

    def _with_checksum(self, descriptor: str) -> str:
        return f"{descriptor}#{self.call('getdescriptorinfo', descriptor)['checksum']}"


def extended_key() -> str:
    """A new private one for test chains, as in BIP 32; litecoind 0.21 shows none of its own."""
    body = bytes.fromhex("04358394") + bytes(9) + secrets.token_bytes(32) + b"\0" + secrets.token_bytes(32)
    return str(base58.encode(body + Hash(body)[:4]))
