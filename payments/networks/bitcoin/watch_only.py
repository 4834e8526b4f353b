"""Use the two kinds of watch-only wallets: those of Bitcoin Core and those of litecoind."""

from itertools import count
from typing import Protocol

from cryptons.coins import CoreCoin
from payments.networks.bitcoin.issued_addresses import IssuedAddresses
from payments.networks.bitcoin.rpc import Conversation

CHUNK = 1000
"""How many addresses are imported at a time."""


class WatchOnly(Protocol):
    def watch(self, wallet: Conversation, descriptor: str, issued: IssuedAddresses) -> str:
        """Make the wallet give out the descriptor's addresses that were not issued yet. The node searches its chain for those that were.

        Safe to repeat. Returns the node's error text; empty on success.
        """

    def watches(self, wallet: Conversation, descriptor: str) -> bool | None:
        """Return whether the wallet gives out this descriptor's addresses; None if nothing was imported yet."""


class DescriptorWallet:
    """A wallet of Bitcoin Core, which stores the descriptor and derives the next address from it."""

    def watch(self, wallet: Conversation, descriptor: str, issued: IssuedAddresses) -> str:
        start = _count_issued(wallet, descriptor, issued)
        request = {"desc": descriptor, "active": True, "internal": False, "timestamp": _timestamp(issued), "range": [0, start + CHUNK - 1]}
        return _objection(wallet.call("importdescriptors", [request | ({"next_index": start} if start else {})]))

    def watches(self, wallet: Conversation, descriptor: str) -> bool | None:
        known = {_body(entry["desc"]) for entry in wallet.call("listdescriptors")["descriptors"]}
        return _body(descriptor) in known if known else None


class KeyPoolWallet:
    """A wallet of litecoind, which stores a pool of public keys in the descriptor's order and gives out each key once.

    litecoind 0.21 can make descriptor wallets only where it was built with SQLite, and cannot list what they hold.
    """

    def watch(self, wallet: Conversation, descriptor: str, issued: IssuedAddresses) -> str:
        """Import the next keys into the pool. None of them was given out yet, so old blocks need no rescan. The node skips keys it has.

        Keys that were given out by a wallet which no longer exists are watched, but stay out of the pool.
        """
        start = next(start for start in count(0, CHUNK) if not self._knows(wallet, descriptor, start + CHUNK - 1))
        used = 0 if self._knows(wallet, descriptor, 0) else _count_issued(wallet, descriptor, issued)
        if used:
            past = {"desc": descriptor, "range": [0, used - 1], "timestamp": _timestamp(issued), "watchonly": True, "keypool": False}
            if objection := _objection(wallet.call("importmulti", [past], {"rescan": True})):
                return objection
        start = max(start, used)
        request = {"desc": descriptor, "range": [start, start + CHUNK - 1], "timestamp": "now", "watchonly": True, "keypool": True}
        return _objection(wallet.call("importmulti", [request], {"rescan": False}))

    def watches(self, wallet: Conversation, descriptor: str) -> bool | None:
        if not wallet.call("listlabels"):
            return None
        return self._knows(wallet, descriptor, 0) and not wallet.call("getwalletinfo")["private_keys_enabled"]

    def _knows(self, wallet: Conversation, descriptor: str, index: int) -> bool:
        (address,) = wallet.call("deriveaddresses", descriptor, [index, index])
        return bool(wallet.call("getaddressinfo", address)["iswatchonly"])


def watch_only(coin: CoreCoin) -> WatchOnly:
    return DescriptorWallet() if coin.has_descriptor_wallets else KeyPoolWallet()


def _count_issued(wallet: Conversation, descriptor: str, issued: IssuedAddresses) -> int:
    """Return the place after the last of the descriptor's addresses that was issued. No more than CHUNK unused ones lie in a row."""
    if issued.since is None and not issued.among(wallet.call("deriveaddresses", descriptor, [0, CHUNK - 1])):
        return 0
    found = 0
    for start in count(0, CHUNK):
        addresses = wallet.call("deriveaddresses", descriptor, [start, start + CHUNK - 1])
        ours = issued.among(addresses)
        if not ours:
            return found
        found = start + 1 + max(index for index, address in enumerate(addresses) if address in ours)
    return found


def _timestamp(issued: IssuedAddresses) -> int | str:
    return "now" if issued.since is None else int(issued.since.timestamp())


def _objection(results: list[dict[str, dict[str, str]]]) -> str:
    (result,) = results
    return "" if result["success"] else result["error"]["message"]


def _body(descriptor: str) -> str:
    """Return the descriptor without its checksum, with `h` for hardened steps: nodes take `'` for the same, and list `h`."""
    return descriptor.partition("#")[0].replace("'", "h")
