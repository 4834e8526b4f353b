"""Load the node's wallet after a restart, create it watch-only from a descriptor, and check it at the start."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.coins import CoreCoin
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.bitcoin import descriptors
from payments.networks.bitcoin.issued_addresses import issued_before
from payments.networks.bitcoin.rpc import KEYS_RAN_OUT, WALLET_ALREADY_LOADED, WALLET_ERROR, WALLET_NOT_FOUND, Conversation, checked_chain
from payments.networks.bitcoin.watch_only import watch_only
from payments.networks.json_rpc import RpcError


@contextmanager
def open_wallet(coin: CoreCoin) -> Iterator[Conversation]:
    """Connect to the shop's wallet, and load it if necessary. Raises NodeUnavailable, NodeRejected.

    An answer that lacks what the caller reads in it also raises NodeUnavailable: another program may listen at the node's address.
    """
    with _conversation(coin, coin.wallet, load=lambda: _load_wallet(coin)) as wallet:
        yield wallet


@contextmanager
def open_named_wallet(coin: CoreCoin, name: str) -> Iterator[Conversation]:
    """Connect to another wallet of the node, and load it if necessary. It is never created. Raises NodeUnavailable, NodeRejected."""
    with _conversation(coin, name, load=lambda: _load_existing(coin, name, coin.setting("WALLET"))) as wallet:
        yield wallet


@contextmanager
def open_payout_wallet(coin: CoreCoin) -> Iterator[Conversation]:
    """Connect to the payout wallet: one with keys, or the shop's watch-only wallet, whose transactions staff sign."""
    if not coin.payout_wallet:
        with open_wallet(coin) as wallet:
            yield wallet
        return
    with _conversation(
        coin, coin.payout_wallet, load=lambda: _load_existing(coin, coin.payout_wallet, coin.setting("PAYOUT_WALLET"))
    ) as wallet:
        yield wallet


PAUSE_SECONDS, LOOKS = 0.1, 20
"""How long a process waits, and how often it looks, while another process loads the wallet."""
RESCAN_SECONDS = 60
"""How long the creation of a wallet is waited for. The node goes on searching its chain afterwards."""
BUSY = ("already load", "already being load", "Database already exists", "exclusive lock")


@contextmanager
def _conversation(coin: CoreCoin, name: str, *, load: Callable[[], None]) -> Iterator[Conversation]:
    wallet = Conversation(coin, _path(name))
    try:
        _ensure_loaded(wallet, load)
        yield wallet
    except RpcError as error:
        raise NodeRejected(_("%(node)s refuses: %(reason)s") % {"node": coin.node, "reason": error.message}) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NodeUnavailable(
            _("%(node)s gives an answer that cannot be understood (%(kind)s: %(reason)s).")
            % {"node": coin.node, "kind": type(error).__name__, "reason": error}
        ) from error
    finally:
        wallet.close()


def _ensure_loaded(wallet: Conversation, load: Callable[[], None]) -> None:
    """Load the wallet, or wait while another process does: after a node's restart all processes try at once."""
    for _attempt in range(LOOKS):
        try:
            if wallet.call("getwalletinfo").get("scanning"):
                raise NodeUnavailable(_("%(node)s is searching the chain for the wallet's payments.") % {"node": wallet.coin.node})
            return
        except RpcError as error:
            if error.code != WALLET_NOT_FOUND:
                raise
        try:
            load()
        except _Busy:
            time.sleep(PAUSE_SECONDS)
    raise NodeUnavailable(_("%(node)s is still loading its wallet.") % {"node": wallet.coin.node})


class _Busy(Exception):
    """Another process is loading or creating the wallet, or has just done so."""


def _is_busy(error: RpcError) -> bool:
    """Return whether the error means _Busy. Only a loaded wallet has an error code, in bitcoind; other cases are known by their text."""
    code, message = error.code, error.message
    return code == WALLET_ALREADY_LOADED or (code == WALLET_ERROR and any(words in message for words in BUSY))


def _load_existing(coin: CoreCoin, name: str, setting: str) -> None:
    node = Conversation(coin, "/")
    try:
        node.call("loadwallet", name, True)
    except RpcError as error:
        if _is_busy(error):
            raise _Busy from error
        raise NodeRejected(
            _("%(node)s cannot load the wallet of %(setting)s: %(reason)s")
            % {"node": coin.node, "setting": setting, "reason": error.message}
        ) from error
    finally:
        node.close()


def _path(name: str) -> str:
    return f"/wallet/{quote(name, safe='')}"


def _load_wallet(coin: CoreCoin) -> None:
    """Load the wallet, or make it watch-only from the descriptor. Safe to repeat; raises NodeUnavailable, NodeRejected, _Busy."""
    node = Conversation(coin, "/")
    try:
        try:
            node.call("loadwallet", coin.wallet, True)
        except RpcError as error:
            if _is_busy(error):
                raise _Busy from error
            if error.code != WALLET_NOT_FOUND:
                raise NodeUnavailable(
                    _("%(node)s cannot load the wallet %(wallet)r: %(reason)s")
                    % {"node": coin.node, "wallet": coin.wallet, "reason": error.message}
                ) from error
            _make_watch_only_wallet(node)
    finally:
        node.close()


def _make_watch_only_wallet(node: Conversation) -> None:
    coin, setting = node.coin, node.coin.setting("DESCRIPTOR")
    if not coin.descriptor:
        raise NodeRejected(
            _("%(node)s has no wallet %(wallet)r. Set %(setting)s, and the shop creates it, or create it yourself.")
            % {"node": coin.node, "wallet": coin.wallet, "setting": setting}
        )
    wallet = Conversation(coin, _path(coin.wallet))
    wallet.be_patient(RESCAN_SECONDS)
    try:
        descriptor = _checked_descriptor(node)
        node.call("createwallet", coin.wallet, True, True, "", True, coin.has_descriptor_wallets, True)
        _watch(wallet, descriptor)
    except RpcError as error:
        if _is_busy(error):
            raise _Busy from error
        raise NodeRejected(
            _("%(node)s cannot make the wallet %(wallet)r: %(reason)s")
            % {"node": coin.node, "wallet": coin.wallet, "reason": error.message}
        ) from error
    finally:
        wallet.close()


def _checked_descriptor(node: Conversation) -> str:
    """Return the descriptor in the node's own spelling, with its checksum. Raises NodeRejected for one that the shop cannot use."""
    coin = node.coin
    try:
        checked = node.call("getdescriptorinfo", descriptors.normalised(coin.descriptor, coin.network, coin))
    except descriptors.DescriptorError as error:
        raise NodeRejected(str(error)) from error
    except RpcError as error:
        raise NodeRejected(
            _("%(node)s cannot read %(setting)s: %(reason)s")
            % {"node": coin.node, "setting": coin.setting("DESCRIPTOR"), "reason": error.message}
        ) from error
    if checked["hasprivatekeys"]:
        raise NodeRejected(descriptors.has_private_keys(coin))
    if not checked["isrange"]:
        raise NodeRejected(descriptors.not_ranged(coin))
    return str(checked["descriptor"])


def _watch(wallet: Conversation, descriptor: str) -> None:
    coin = wallet.coin
    if objection := watch_only(coin).watch(wallet, descriptor, issued_before(coin)):
        raise NodeRejected(
            _("%(node)s refuses %(setting)s: %(reason)s") % {"node": coin.node, "setting": coin.setting("DESCRIPTOR"), "reason": objection}
        )


def new_address(wallet: Conversation, label: str) -> str:
    """Return an address of the descriptor's type that the wallet has never given out."""
    coin = wallet.coin
    kind = descriptors.address_type(coin.descriptor) if coin.descriptor else "bech32" if coin.chain.bech32_prefix else "legacy"
    try:
        return str(wallet.call("getnewaddress", label, kind))
    except RpcError as error:
        if coin.has_descriptor_wallets or not coin.descriptor or error.code not in (KEYS_RAN_OUT, WALLET_ERROR):
            raise
    _watch(wallet, _checked_descriptor(wallet))
    return str(wallet.call("getnewaddress", label, kind))


def describe_wallet(wallet: Conversation) -> str:
    """Describe the wallet for staff: `watch-only, 1,234 addresses given out`."""
    has_keys = wallet.call("getwalletinfo")["private_keys_enabled"]
    try:
        known = wallet.call("listdescriptors")["descriptors"]
    except RpcError:  # a wallet from before descriptors keeps no count
        return _("with private keys") if has_keys else _("watch-only")
    given = sum(entry.get("next_index", entry.get("next", 0)) for entry in known if entry["active"] and not entry["internal"])
    if has_keys:
        words = ngettext("with private keys, %(count)s address given out", "with private keys, %(count)s addresses given out", given)
    else:
        words = ngettext("watch-only, %(count)s address given out", "watch-only, %(count)s addresses given out", given)
    return words % {"count": f"{given:,}"}


def wallet_problem(coin: CoreCoin) -> str:
    """Say in a sentence why the shop must not use this node and wallet; empty if it may. Raises NodeUnavailable, NodeRejected."""
    with open_wallet(coin) as wallet:
        checked_chain(wallet)
        info = wallet.call("getwalletinfo")
        if info["private_keys_enabled"] and coin.network == "mainnet" and not settings.DEBUG:
            return _(
                "The wallet %(wallet)r on the %(coin)s node holds private keys. In production the shop takes a watch-only wallet "
                "only: set %(descriptor_setting)s to your public descriptor and %(wallet_setting)s to a new name."
            ) % _names(coin)
        if coin.descriptor:
            descriptor = _checked_descriptor(wallet)
            watches = watch_only(coin).watches(wallet, descriptor)
            if watches is None:  # a start was interrupted between creating the wallet and importing the descriptor
                _watch(wallet, descriptor)
            elif not watches:
                return _(
                    "The wallet %(wallet)r on the %(coin)s node was made from another descriptor than "
                    "%(descriptor_setting)s. Set %(wallet_setting)s to a new name, and the shop makes that wallet."
                ) % _names(coin)
    return ""


def _names(coin: CoreCoin) -> dict[str, str]:
    settings_of = {"descriptor_setting": coin.setting("DESCRIPTOR"), "wallet_setting": coin.setting("WALLET")}
    return {"wallet": coin.wallet, "coin": coin.name, **settings_of}
