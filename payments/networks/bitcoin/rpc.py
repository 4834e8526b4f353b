"""A conversation with bitcoind or litecoind about one wallet; its failures are raised as the shop's own errors."""

import itertools
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.coins import CoreCoin
from cryptons.host_address import host_and_port
from payments.errors import AnotherChain, NodeRejected, NodeUnavailable
from payments.networks.json_rpc import HttpAnswer, JsonRpcClient, RpcError

MISUSED = -1
WALLET_ERROR = -4
NOT_IN_WALLET_OR_MEMPOOL = -5
NOT_A_HASH = -8
KEYS_RAN_OUT = -12
WALLET_NOT_FOUND = -18
WALLET_ALREADY_LOADED = -35
WARMING_UP = -28
NO_SUCH_METHOD = -32601


WALLET_METHODS = ("getwalletinfo", "loadwallet", "createwallet")
"""Methods that every node with wallet support knows."""


class Conversation:
    """A connection to one wallet of a node. Each call has a deadline of its own, NODE_TIMEOUT_SECONDS. Not thread-safe."""

    def __init__(self, coin: CoreCoin, path: str) -> None:
        self.coin = coin
        self._path = path
        self._patience = timedelta(seconds=settings.NODE_TIMEOUT_SECONDS)
        self._ids = itertools.count(1)
        address = host_and_port(coin.host, coin.port)
        self._client = JsonRpcClient(f"http://{address}", node=coin.node, login=(coin.user, coin.password))

    def be_patient(self, seconds: int) -> None:
        """Give later calls more time, for slow requests of background jobs."""
        self._patience = timedelta(seconds=seconds)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call an RPC method and return its result. Amounts come as Decimal and must be given as strings.

        Raises NodeUnavailable, NodeRejected, RpcError.
        """
        number = next(self._ids)
        question = {"jsonrpc": "1.0", "id": number, "method": method, "params": arguments}
        answer = self._client.post(question, within=self._patience, path=self._path)
        return _result(self.coin, answer, number, method)

    def close(self) -> None:
        self._client.close()


def _result(coin: CoreCoin, answer: HttpAnswer, number: int, method: str) -> Any:
    """Read the result. RPC errors come as JSON with HTTP status 500 or 404; refusals of the HTTP server come without JSON."""
    if answer.status == 401:
        raise NodeRejected(
            _("%(node)s refuses %(user_setting)s and %(password_setting)s.")
            % {"node": coin.node, "user_setting": coin.setting("RPC_USER"), "password_setting": coin.setting("RPC_PASS")}
        )
    if answer.status == 403:
        raise NodeRejected(_("%(node)s does not allow connections from this machine (rpcallowip).") % {"node": coin.node})
    if answer.status == 503:
        raise NodeUnavailable(_("%(node)s is overloaded: its work queue is full.") % {"node": coin.node})
    match answer.content:
        case {"id": got, "error": {"code": int(code), "message": message}} if got == number:
            if code == WARMING_UP:
                raise NodeUnavailable(_("%(node)s is starting up.") % {"node": coin.node})
            if code == NO_SUCH_METHOD and method in WALLET_METHODS:
                raise NodeRejected(
                    _(
                        "%(node)s runs without wallets, which the shop needs. Remove disablewallet from its configuration, or use a "
                        "build with wallet support."
                    )
                    % {"node": coin.node}
                )
            raise RpcError(code, str(message))
        case {"id": got, "result": result, "error": None} if got == number:
            return result
    raise NodeUnavailable(
        _("What answers at %(setting)s is not a %(coin)s node (HTTP status %(status)s).")
        % {"setting": coin.setting("RPC_HOST"), "coin": coin.name, "status": answer.status}
    )


def in_mempool(wallet: Conversation, txid: str) -> bool:
    """Return whether the node may still mine the transaction. The wallet also remembers those that were replaced or dropped."""
    try:
        wallet.call("getmempoolentry", txid)
    except RpcError as error:
        if error.code == NOT_IN_WALLET_OR_MEMPOOL:
            return False
        raise
    return True


def is_in_chain(wallet: Conversation, block_hash: str) -> bool:
    """Return whether the block is part of the node's chain now."""
    try:
        return bool(wallet.call("getblockheader", block_hash)["confirmations"] > 0)
    except RpcError as error:
        if error.code == NOT_IN_WALLET_OR_MEMPOOL:
            return False
        raise


def knows_block(wallet: Conversation, block_hash: str) -> bool:
    """Return whether the node knows the block, in its chain or in a branch."""
    try:
        wallet.call("getblockheader", block_hash)
    except RpcError as error:
        if error.code in (NOT_IN_WALLET_OR_MEMPOOL, NOT_A_HASH):
            return False
        raise
    return True


def another_chain(coin: CoreCoin) -> AnotherChain:
    return AnotherChain(
        _("%(node)s follows another chain: it does not know a block that the shop has stored. Check %(setting)s and the node's data.")
        % {"node": coin.node, "setting": coin.setting("RPC_HOST")}
    )


def checked_chain(wallet: Conversation) -> dict[str, Any]:
    """Return `getblockchaininfo`. Raises NodeRejected when the node follows another chain than the settings name."""
    coin = wallet.coin
    chain: dict[str, Any] = wallet.call("getblockchaininfo")
    if chain["chain"] != coin.chain.node_name:
        raise NodeRejected(
            _("%(node)s follows the chain %(chain)r, but %(network_setting)s is %(network)r.")
            % {"node": coin.node, "chain": chain["chain"], "network_setting": coin.setting("NETWORK"), "network": coin.network}
        )
    return chain


def synced_chain(wallet: Conversation) -> dict[str, Any]:
    """Return `getblockchaininfo`. Raises NodeUnavailable while the node is syncing or verifying its chain again: then it knows nothing.

    Also raises what checked_chain raises.
    """
    chain = checked_chain(wallet)
    if behind(chain):
        raise NodeUnavailable(_("%(node)s is still catching up with the chain.") % {"node": wallet.coin.node})
    return chain


def behind(chain: dict[str, Any]) -> bool:
    """Return whether the node is syncing. On regtest `initialblockdownload` stays set without recent blocks, so only headers count."""
    return bool(chain["headers"] > chain["blocks"] or (chain["initialblockdownload"] and chain["chain"] != "regtest"))
