"""A conversation with a Bitcoin node: JSON-RPC through python-bitcoinlib, its failures told in the shop's own errors."""

import base64
import http.client
from typing import Any

from bitcoin.rpc import JSONRPCError, RawProxy
from django.conf import settings

from payments.errors import NodeRejected, NodeUnavailable

CHAINS = {"mainnet": "main", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"}

NOT_IN_WALLET_OR_MEMPOOL = -5
WALLET_NOT_FOUND = -18
WALLET_ALREADY_LOADED = -35
WARMING_UP = -28
NOT_JSON = -342


class _Proxy(RawProxy):  # type: ignore[misc]
    """python-bitcoinlib's proxy with user and password as they are: it would not percent-decode them from an address."""

    def __init__(self, path: str) -> None:
        host = settings.BITCOIN_RPC_HOST
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        super().__init__(service_url=f"http://{host}:{settings.BITCOIN_RPC_PORT}{path}", timeout=settings.NODE_TIMEOUT_SECONDS)
        login = f"{settings.BITCOIN_RPC_USER}:{settings.BITCOIN_RPC_PASS}".encode()
        self._BaseProxy__auth_header = b"Basic " + base64.b64encode(login)


class Conversation:
    """One conversation with the node about one wallet. A proxy breaks for good after a time-out: make a new one each turn."""

    def __init__(self, path: str) -> None:
        self._proxy = _Proxy(path)

    def call(self, method: str, *arguments: Any) -> Any:
        """Raises NodeUnavailable, NodeRejected, and JSONRPCError for what only the caller can judge."""
        try:
            return self._proxy._call(method, *arguments)
        except JSONRPCError as error:
            raise _translated(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise NodeUnavailable(f"The Bitcoin node does not answer ({type(error).__name__}).") from error

    def close(self) -> None:
        self._proxy.close()


def _translated(error: JSONRPCError) -> Exception:
    code, message = error.error["code"], str(error.error["message"])
    if code == NOT_JSON:
        if "'401 " in message:
            return NodeRejected("The Bitcoin node refuses BITCOIN_RPC_USER and BITCOIN_RPC_PASS.")
        if "'403 " in message:
            return NodeRejected("The Bitcoin node does not allow connections from this machine (rpcallowip).")
        return NodeUnavailable("The Bitcoin node answers, but not to requests.")
    if code == WARMING_UP:
        return NodeUnavailable("The Bitcoin node is starting up.")
    return error  # type: ignore[no-any-return]


def checked_chain(wallet: Conversation) -> dict[str, Any]:
    """`getblockchaininfo`, refused when the node follows another chain than the settings say."""
    chain: dict[str, Any] = wallet.call("getblockchaininfo")
    if chain["chain"] != CHAINS[settings.BITCOIN_NETWORK]:
        raise NodeRejected(f"The Bitcoin node follows the chain {chain['chain']!r}, but BITCOIN_NETWORK is {settings.BITCOIN_NETWORK!r}.")
    return chain


def behind(chain: dict[str, Any]) -> bool:
    """A node on regtest calls itself in initial download until a block is a day young, so there only the headers count."""
    return bool(chain["headers"] > chain["blocks"] or (chain["initialblockdownload"] and chain["chain"] != "regtest"))
