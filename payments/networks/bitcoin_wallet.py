"""The node's wallet that the shop watches: loaded after a restart, made watch-only from BITCOIN_DESCRIPTOR, checked at the start."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from bitcoin.rpc import JSONRPCError
from django.conf import settings

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks import descriptors
from payments.networks.bitcoin_rpc import WALLET_ALREADY_LOADED, WALLET_NOT_FOUND, Conversation, checked_chain


@contextmanager
def open_wallet() -> Iterator[Conversation]:
    """One conversation about the shop's wallet, loaded if need be. Raises NodeUnavailable, NodeRejected."""
    wallet = Conversation(_path(settings.BITCOIN_WALLET))
    try:
        try:
            wallet.call("getwalletinfo")
        except JSONRPCError as error:
            if error.error["code"] != WALLET_NOT_FOUND:
                raise
            load_wallet()
        yield wallet
    except JSONRPCError as error:
        raise NodeRejected(f"The Bitcoin node refuses: {error.error['message']}") from error
    finally:
        wallet.close()


def _path(name: str) -> str:
    return f"/wallet/{quote(name, safe='')}"


def load_wallet() -> None:
    """Load the wallet, or make it watch-only from BITCOIN_DESCRIPTOR. Safe to repeat; raises NodeUnavailable, NodeRejected."""
    node = Conversation("/")
    name = settings.BITCOIN_WALLET
    try:
        try:
            node.call("loadwallet", name, True)
        except JSONRPCError as error:
            code = error.error["code"]
            if code == WALLET_NOT_FOUND:
                _make_watch_only_wallet(node, name)
            elif code != WALLET_ALREADY_LOADED:
                raise NodeUnavailable(f"The Bitcoin node cannot load the wallet {name!r}: {error.error['message']}") from error
    finally:
        node.close()


def _make_watch_only_wallet(node: Conversation, name: str) -> None:
    if not settings.BITCOIN_DESCRIPTOR:
        raise NodeRejected(f"The Bitcoin node has no wallet {name!r}. Set BITCOIN_DESCRIPTOR, and the shop makes it; or make it yourself.")
    wallet = Conversation(_path(name))
    try:
        descriptor = _checked_descriptor(node)
        node.call("createwallet", name, True, True, "", True, True, True)
        _import_descriptor(wallet, descriptor)
    except JSONRPCError as error:
        raise NodeRejected(f"The Bitcoin node cannot make the wallet {name!r}: {error.error['message']}") from error
    finally:
        wallet.close()


def _checked_descriptor(node: Conversation) -> str:
    """BITCOIN_DESCRIPTOR as the node itself writes it, with its checksum."""
    try:
        checked = node.call("getdescriptorinfo", descriptors.normalised(settings.BITCOIN_DESCRIPTOR, settings.BITCOIN_NETWORK))
    except descriptors.DescriptorError as error:
        raise NodeRejected(str(error)) from error
    except JSONRPCError as error:
        raise NodeRejected(f"The Bitcoin node cannot read BITCOIN_DESCRIPTOR: {error.error['message']}") from error
    if checked["hasprivatekeys"]:
        raise NodeRejected(descriptors.HAS_PRIVATE_KEYS)
    if not checked["isrange"]:
        raise NodeRejected(descriptors.NOT_RANGED)
    return str(checked["descriptor"])


def _import_descriptor(wallet: Conversation, descriptor: str) -> None:
    request = {"desc": descriptor, "active": True, "internal": False, "timestamp": "now", "range": [0, 999]}
    (result,) = wallet.call("importdescriptors", [request])
    if not result["success"]:
        raise NodeRejected(f"The Bitcoin node refuses BITCOIN_DESCRIPTOR: {result['error']['message']}")


def wallet_problem() -> str:
    """Why this node and wallet must not serve the shop, as a sentence; empty when they may. Raises NodeUnavailable, NodeRejected."""
    with open_wallet() as wallet:
        checked_chain(wallet)
        info = wallet.call("getwalletinfo")
        if info["private_keys_enabled"] and settings.BITCOIN_NETWORK == "mainnet" and not settings.DEBUG:
            return (
                f"The wallet {settings.BITCOIN_WALLET!r} on the Bitcoin node holds private keys. In production the shop takes "
                "a watch-only wallet only: set BITCOIN_DESCRIPTOR to your public descriptor and BITCOIN_WALLET to a new name."
            )
        if settings.BITCOIN_DESCRIPTOR:
            wanted = _checked_descriptor(wallet)
            known = {_body(entry["desc"]) for entry in wallet.call("listdescriptors")["descriptors"]}
            if not known:  # a start was cut off between making the wallet and telling it what to watch
                _import_descriptor(wallet, wanted)
            elif _body(wanted) not in known:
                return (
                    f"The wallet {settings.BITCOIN_WALLET!r} on the Bitcoin node was made from another descriptor than BITCOIN_DESCRIPTOR. "
                    "Set BITCOIN_WALLET to a new name, and the shop makes that wallet."
                )
    return ""


def _body(descriptor: str) -> str:
    return descriptor.partition("#")[0]
