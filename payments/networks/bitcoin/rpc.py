"""A conversation with bitcoind or litecoind: JSON-RPC through python-bitcoinlib, its failures told in the shop's own errors."""

import base64
import http.client
from typing import Any

from bitcoin.rpc import JSONRPCError, RawProxy
from django.conf import settings

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.bitcoin.coins import Coin

MISUSED = -1
WALLET_ERROR = -4
NOT_IN_WALLET_OR_MEMPOOL = -5
NOT_A_HASH = -8
KEYS_RAN_OUT = -12
WALLET_NOT_FOUND = -18
WALLET_ALREADY_LOADED = -35
WARMING_UP = -28
NOT_JSON = -342


class _Proxy(RawProxy):  # type: ignore[misc]
    """python-bitcoinlib's proxy with user and password as they are: it would not percent-decode them from an address."""

    def __init__(self, coin: Coin, path: str, patience: int) -> None:
        host = coin.host
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        super().__init__(service_url=f"http://{host}:{coin.port}{path}", timeout=patience)
        login = f"{coin.user}:{coin.password}".encode()
        self._BaseProxy__auth_header = b"Basic " + base64.b64encode(login)


class Conversation:
    """One conversation with the node about one wallet. A proxy breaks for good after a time-out: make a new one each turn."""

    def __init__(self, coin: Coin, path: str) -> None:
        self.coin = coin
        self._path = path
        self._proxy = _Proxy(coin, path, settings.NODE_TIMEOUT_SECONDS)

    def be_patient(self, seconds: int) -> None:
        """From now on: for questions that cost the node a while, asked by nobody who waits."""
        self._proxy.close()
        self._proxy = _Proxy(self.coin, self._path, seconds)

    def call(self, method: str, *arguments: Any) -> Any:
        """Raises NodeUnavailable, NodeRejected, and JSONRPCError for what only the caller can judge."""
        try:
            return self._proxy._call(method, *arguments)
        except JSONRPCError as error:
            raise _translated(self.coin, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise NodeUnavailable(f"{self.coin.node} does not answer ({type(error).__name__}).") from error

    def close(self) -> None:
        self._proxy.close()


def _translated(coin: Coin, error: JSONRPCError) -> Exception:
    code, message = error.error["code"], str(error.error["message"])
    if code == NOT_JSON:
        if "'401 " in message:
            return NodeRejected(f"{coin.node} refuses {coin.names('RPC_USER')} and {coin.names('RPC_PASS')}.")
        if "'403 " in message:
            return NodeRejected(f"{coin.node} does not allow connections from this machine (rpcallowip).")
        return NodeUnavailable(f"{coin.node} answers, but not to requests.")
    if code == WARMING_UP:
        return NodeUnavailable(f"{coin.node} is starting up.")
    return error  # type: ignore[no-any-return]


def in_mempool(wallet: Conversation, txid: str) -> bool:
    """The wallet remembers what was replaced or dropped; only the mempool says what may still be mined."""
    try:
        wallet.call("getmempoolentry", txid)
    except JSONRPCError as error:
        if error.error["code"] == NOT_IN_WALLET_OR_MEMPOOL:
            return False
        raise
    return True


def checked_chain(wallet: Conversation) -> dict[str, Any]:
    """`getblockchaininfo`, refused when the node follows another chain than the settings say."""
    coin = wallet.coin
    chain: dict[str, Any] = wallet.call("getblockchaininfo")
    if chain["chain"] != coin.chains[coin.network].node_name:
        raise NodeRejected(f"{coin.node} follows the chain {chain['chain']!r}, but {coin.names('NETWORK')} is {coin.network!r}.")
    return chain


def behind(chain: dict[str, Any]) -> bool:
    """A node on regtest calls itself in initial download until a block is a day young, so there only the headers count."""
    return bool(chain["headers"] > chain["blocks"] or (chain["initialblockdownload"] and chain["chain"] != "regtest"))
