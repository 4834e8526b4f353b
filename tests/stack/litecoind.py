"""A real litecoind on regtest, with extension blocks (MWEB) as on the main chain."""

import secrets

from bitcoin import base58
from bitcoin.core import Hash

from tests.stack.bitcoind import Node

MWEB_HEIGHT = 432
"""The first block with an extension block; litecoind dies unless something moves into it."""


class LitecoinNode(Node):
    program = "litecoind"
    choice = {"PKG": "litecoind", "SUITE": "trixie"}
    prefix = "LITECOIN"
    default_port = "19443"
    options = ()

    def make_wallets(self) -> None:
        super().make_wallets()
        self.key = _private_key()
        request = {"desc": self._with_checksum(f"wpkh({self.key}/0/*)"), "range": [0, 99], "timestamp": "now"}
        self.call("importmulti", [request], wallet=self.merchant)
        if self.is_ours:
            self.mine(MWEB_HEIGHT - 1 - self.call("getblockcount"))
            self.pay(self.call("getnewaddress", "", "mweb", wallet=self.buyers), "1")
            self.mine()

    def descriptor(self) -> str:
        public: str = self.call("getdescriptorinfo", f"wpkh({self.key}/0/*)")["descriptor"]
        return public

    def _with_checksum(self, descriptor: str) -> str:
        return f"{descriptor}#{self.call('getdescriptorinfo', descriptor)['checksum']}"


def _private_key() -> str:
    """An extended one for test chains, of BIP 32's form; litecoind 0.21 shows none of its own."""
    body = bytes.fromhex("04358394") + bytes(9) + secrets.token_bytes(32) + b"\0" + secrets.token_bytes(32)
    return str(base58.encode(body + Hash(body)[:4]))
