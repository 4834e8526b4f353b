"""Bitcoin through a node's wallet. Speaks Bitcoin Core's JSON-RPC; amounts leave here as satoshis."""

import base64
import http.client
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from bitcoin.rpc import JSONRPCError, RawProxy
from django.conf import settings

from cryptons.money import Base, parse_coin
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks import descriptors
from payments.networks.base import CursorState, Destination, DestinationRequest, Fact, FactPage, NodeHealth, final_depth

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


class Wallet:
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


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class BitcoinNetwork:
    code = "BTC"

    @contextmanager
    def _wallet(self) -> Iterator[Wallet]:
        wallet = Wallet(f"/wallet/{quote(settings.BITCOIN_WALLET, safe='')}")
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

    def open_destination(self, request: DestinationRequest) -> Destination:
        with self._wallet() as wallet:
            chain = checked_chain(wallet)
            if behind(chain):
                raise NodeUnavailable("The Bitcoin node is still catching up with the chain.")
            kind = descriptors.address_type(settings.BITCOIN_DESCRIPTOR) if settings.BITCOIN_DESCRIPTOR else "bech32"
            return Destination(wallet.call("getnewaddress", request.label, kind))

    def close_destination(self, destination: str) -> None:
        """Nobody can be kept from paying to an address."""

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        """What the wallet received after the cursor's block, what a reorg took back, and how the named payments stand.

        Source: Bitcoin Core RPC `listsinceblock` (`transactions`, `removed`), `gettransaction`, `getmempoolentry`. The next cursor is the
        block that lies as deep as a payment must to be final, so younger ones are told again each turn.
        """
        with self._wallet() as wallet:
            tip = checked_chain(wallet)["blocks"]
            depth = max(final_depth(needed) for _, needed in settings.CONFIRMATION_TIERS)
            listing = _list_since(wallet, cursor.value, depth)
            facts = {fact.reference: fact for entry in listing["transactions"] if (fact := _fact(wallet, entry, entry)) is not None}
            removed = {entry["txid"] for entry in listing.get("removed", ())}
            again = {reference for reference in unsettled if reference not in facts or _txid(reference) in removed}
            for txid in sorted({_txid(reference) for reference in again}):
                facts.update(_ask_again(wallet, txid, {reference for reference in again if _txid(reference) == txid}, facts))
            return FactPage(tuple(facts.values()), CursorState(listing["lastblock"]), tip)

    def lookup(self, destinations: Sequence[str]) -> tuple[Fact, ...]:
        """Source: Bitcoin Core RPC `listreceivedbyaddress`, `gettransaction`."""
        facts: dict[str, Fact] = {}
        with self._wallet() as wallet:
            for address in destinations:
                for received in wallet.call("listreceivedbyaddress", 0, True, True, address):
                    for txid in received["txids"]:
                        facts.update(_transaction_facts(wallet, txid))
        wanted = set(destinations)
        return tuple(fact for fact in facts.values() if fact.destination in wanted)

    def health(self) -> NodeHealth:
        try:
            with self._wallet() as wallet:
                chain = checked_chain(wallet)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))
        problem = "The Bitcoin node is still catching up with the chain." if behind(chain) else ""
        return NodeHealth(problem=problem, height=chain["blocks"], behind=chain["headers"] - chain["blocks"])


def checked_chain(wallet: Wallet) -> dict[str, Any]:
    """`getblockchaininfo`, refused when the node follows another chain than the settings say."""
    chain: dict[str, Any] = wallet.call("getblockchaininfo")
    if chain["chain"] != CHAINS[settings.BITCOIN_NETWORK]:
        raise NodeRejected(f"The Bitcoin node follows the chain {chain['chain']!r}, but BITCOIN_NETWORK is {settings.BITCOIN_NETWORK!r}.")
    return chain


def behind(chain: dict[str, Any]) -> bool:
    """A node on regtest calls itself in initial download until a block is a day young, so there only the headers count."""
    return bool(chain["headers"] > chain["blocks"] or (chain["initialblockdownload"] and chain["chain"] != "regtest"))


def _txid(reference: str) -> str:
    return reference.partition(":")[0]


def _list_since(wallet: Wallet, block_hash: str, depth: int) -> dict[str, Any]:
    """From the wallet's beginning when the block is unknown to this node: then it is another node, or another chain's end."""
    try:
        listing: dict[str, Any] = wallet.call("listsinceblock", block_hash, depth, True, True)
    except JSONRPCError as error:
        if error.error["code"] != NOT_IN_WALLET_OR_MEMPOOL or not block_hash:
            raise
        listing = wallet.call("listsinceblock", "", depth, True, True)
    return listing


def _fact(wallet: Wallet, transaction: dict[str, Any], output: dict[str, Any]) -> Fact | None:
    """What the node says of one output. None for money that left, coinbase that is not ripe, and outputs without an address."""
    if output["category"] not in ("receive", "generate") or "address" not in output:
        return None
    confirmations = transaction["confirmations"]
    conflicts = [*transaction.get("walletconflicts", ()), *transaction.get("mempoolconflicts", ())]
    in_block = confirmations > 0
    present = in_block or (confirmations == 0 and _in_mempool(wallet, transaction["txid"]))
    if confirmations == 0 and not present:
        now = wallet.call("gettransaction", transaction["txid"], True)
        if now["confirmations"] > 0:  # mined between the two questions
            return _fact(wallet, now, output)
    first_seen = transaction["timereceived"]
    if in_block:
        first_seen = min(first_seen, transaction["blocktime"])
    return Fact(
        reference=f"{transaction['txid']}:{output['vout']}",
        destination=output["address"],
        amount_base=parse_coin(Decimal(output["amount"]), "BTC"),
        first_seen_at=_time(first_seen),
        height=transaction["blockheight"] if in_block else None,
        block_hash=transaction["blockhash"] if in_block else "",
        is_present=present,
        is_conflicted=not present and (confirmations < 0 or bool(conflicts)),
    )


def _in_mempool(wallet: Wallet, txid: str) -> bool:
    """The wallet remembers what was replaced or dropped; only the mempool says what may still be mined."""
    try:
        wallet.call("getmempoolentry", txid)
    except JSONRPCError as error:
        if error.error["code"] == NOT_IN_WALLET_OR_MEMPOOL:
            return False
        raise
    return True


def _transaction_facts(wallet: Wallet, txid: str) -> dict[str, Fact]:
    """Raises JSONRPCError with code -5 when the wallet does not know it."""
    transaction = wallet.call("gettransaction", txid, True)
    facts = (_fact(wallet, transaction, output) for output in transaction["details"])
    return {fact.reference: fact for fact in facts if fact is not None}


def _ask_again(wallet: Wallet, txid: str, references: set[str], facts: dict[str, Fact]) -> dict[str, Fact]:
    try:
        return _transaction_facts(wallet, txid)
    except JSONRPCError as error:
        if error.error["code"] != NOT_IN_WALLET_OR_MEMPOOL:
            raise
    return {reference: _forgotten(reference) for reference in references if reference not in facts}


def _forgotten(reference: str) -> Fact:
    """The wallet no longer knows the transaction: to be booked payments that means gone. Only presence is told; the rest is kept."""
    return Fact(reference=reference, destination="", amount_base=Base(0), first_seen_at=datetime.max.replace(tzinfo=UTC), is_present=False)


def load_wallet() -> None:
    """Load the wallet, or make it watch-only from BITCOIN_DESCRIPTOR. Safe to repeat; raises NodeUnavailable, NodeRejected."""
    node = Wallet("/")
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


def _make_watch_only_wallet(node: Wallet, name: str) -> None:
    if not settings.BITCOIN_DESCRIPTOR:
        raise NodeRejected(f"The Bitcoin node has no wallet {name!r}. Set BITCOIN_DESCRIPTOR, and the shop makes it; or make it yourself.")
    wallet = Wallet(f"/wallet/{quote(name, safe='')}")
    try:
        descriptor = _checked_descriptor(node)
        node.call("createwallet", name, True, True, "", True, True, True)
        _import_descriptor(wallet, descriptor)
    except JSONRPCError as error:
        raise NodeRejected(f"The Bitcoin node cannot make the wallet {name!r}: {error.error['message']}") from error
    finally:
        wallet.close()


def _checked_descriptor(node: Wallet) -> str:
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


def _import_descriptor(wallet: Wallet, descriptor: str) -> None:
    request = {"desc": descriptor, "active": True, "internal": False, "timestamp": "now", "range": [0, 999]}
    (result,) = wallet.call("importdescriptors", [request])
    if not result["success"]:
        raise NodeRejected(f"The Bitcoin node refuses BITCOIN_DESCRIPTOR: {result['error']['message']}")


def wallet_problem() -> str:
    """Why this node and wallet must not serve the shop, as a sentence; empty when they may. Raises NodeUnavailable, NodeRejected."""
    with BitcoinNetwork()._wallet() as wallet:
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
