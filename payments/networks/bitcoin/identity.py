"""Recognise the wallet that issued the shop's addresses, and read those that were in use before.

"Not in this wallet" says nothing about a payment unless this wallet issued the address that it pays.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from payments.errors import NodeRejected
from payments.networks.base import CursorState, IssuingWallet
from payments.networks.bitcoin import descriptors
from payments.networks.bitcoin.rpc import Conversation
from payments.networks.bitcoin.wallet import open_named_wallet
from payments.networks.json_rpc import RpcError

FORMER = timedelta(days=45)
"""How long a wallet that is no longer in use is read: an invoice is watched for a month after it expires."""
IDENTITY_LABEL = "cryptons"


@dataclass(frozen=True)
class Recognised:
    """The wallet in use as it was recognised, with those that were in use before."""

    current: IssuingWallet
    former: tuple[IssuingWallet, ...]
    is_new: bool
    """The cursor was not read from this wallet: it must be listed from its beginning."""


def recognise(wallet: Conversation, cursor: CursorState) -> Recognised:
    """Compare the open wallet with the cursor's.

    Source: Bitcoin Core RPC `getaddressinfo` (`ismine`, `iswatchonly`, `timestamp`), `listdescriptors`, `deriveaddresses`.
    """
    name = wallet.coin.wallet
    if not cursor.wallets:
        identity = _identity(wallet)
        return Recognised(IssuingWallet(name, identity, born_at(wallet, identity)), (), is_new=False)
    last, *former = cursor.wallets
    if owns(wallet, last.identity):
        born = born_at(wallet, last.identity)
        is_new = (last.name, last.born_at) != (name, born)
        return Recognised(replace(last, name=name, born_at=born), _still_read(former), is_new)
    left = replace(last, left_at=timezone.now().isoformat())
    back = next((each for each in former if owns(wallet, each.identity)), None)
    identity = back.identity if back else _identity(wallet)
    current = IssuingWallet(name, identity, born_at(wallet, identity))
    return Recognised(current, _still_read([left, *(each for each in former if each is not back)]), is_new=True)


def _still_read(former: Sequence[IssuingWallet]) -> tuple[IssuingWallet, ...]:
    return tuple(each for each in former if timezone.now() - datetime.fromisoformat(each.left_at) < FORMER)


@contextmanager
def former_wallets(current: Conversation, states: Sequence[IssuingWallet]) -> Iterator[list[tuple[IssuingWallet, Conversation | None]]]:
    """Open the wallets that were in use before; None for one that the node no longer has. Raises NodeUnavailable."""
    with ExitStack() as stack:
        yield [(state, _opened(stack, current, state)) for state in states]


def _opened(stack: ExitStack, current: Conversation, state: IssuingWallet) -> Conversation | None:
    try:
        wallet = stack.enter_context(open_named_wallet(current.coin, state.name))
        return wallet if owns(wallet, state.identity) else None
    except (NodeRejected, RpcError):
        return None


def owns(wallet: Conversation, address: str) -> bool:
    """Return whether the wallet issued the address, or can issue it. Not for an address of another chain."""
    try:
        info = _info(wallet, address)
    except RpcError:
        return False
    return bool(info["ismine"] or info.get("iswatchonly"))


def born_at(wallet: Conversation, address: str) -> int:
    """Return since when the wallet knows what this address of its own received, in seconds; 0 if the node does not say."""
    return int(_info(wallet, address).get("timestamp", 0))


def _info(wallet: Conversation, address: str) -> dict[str, Any]:
    info: dict[str, Any] = wallet.call("getaddressinfo", address)
    return info


def _identity(wallet: Conversation) -> str:
    """Return an address that only this wallet issues: the first of its descriptor, or else a new one."""
    coin = wallet.coin
    try:
        if coin.has_descriptor_wallets:
            known = wallet.call("listdescriptors")["descriptors"]
            receiving = sorted(entry["desc"] for entry in known if entry["active"] and not entry["internal"])
        else:
            text = descriptors.normalised(coin.descriptor, coin.network, coin) if coin.descriptor else ""
            receiving = [wallet.call("getdescriptorinfo", text)["descriptor"]] if text else []
        first = str(wallet.call("deriveaddresses", receiving[0], [0, 0])[0]) if receiving else ""
    except (RpcError, descriptors.DescriptorError):  # a wallet from before descriptors, or one whose addresses need its private keys
        first = ""
    return first if first and owns(wallet, first) else str(wallet.call("getnewaddress", IDENTITY_LABEL))
