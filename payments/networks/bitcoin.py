"""Bitcoin through a node's wallet. Speaks Bitcoin Core's JSON-RPC; amounts leave here as satoshis."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bitcoin.rpc import JSONRPCError
from django.conf import settings

from cryptons.money import Base, parse_coin
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks import descriptors
from payments.networks.base import CursorState, Destination, DestinationRequest, Fact, FactPage, NodeHealth, final_depth
from payments.networks.bitcoin_rpc import NOT_IN_WALLET_OR_MEMPOOL, Conversation, behind, checked_chain
from payments.networks.bitcoin_wallet import open_wallet


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class BitcoinNetwork:
    code = "BTC"

    def open_destination(self, request: DestinationRequest) -> Destination:
        with open_wallet() as wallet:
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
        with open_wallet() as wallet:
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
        with open_wallet() as wallet:
            for address in destinations:
                for received in wallet.call("listreceivedbyaddress", 0, True, True, address):
                    for txid in received["txids"]:
                        facts.update(_transaction_facts(wallet, txid))
        wanted = set(destinations)
        return tuple(fact for fact in facts.values() if fact.destination in wanted)

    def health(self) -> NodeHealth:
        try:
            with open_wallet() as wallet:
                chain = checked_chain(wallet)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))
        problem = "The Bitcoin node is still catching up with the chain." if behind(chain) else ""
        return NodeHealth(problem=problem, height=chain["blocks"], behind=chain["headers"] - chain["blocks"])


def _txid(reference: str) -> str:
    return reference.partition(":")[0]


def _list_since(wallet: Conversation, block_hash: str, depth: int) -> dict[str, Any]:
    """From the wallet's beginning when the block is unknown to this node: then it is another node, or another chain's end."""
    try:
        listing: dict[str, Any] = wallet.call("listsinceblock", block_hash, depth, True, True)
    except JSONRPCError as error:
        if error.error["code"] != NOT_IN_WALLET_OR_MEMPOOL or not block_hash:
            raise
        listing = wallet.call("listsinceblock", "", depth, True, True)
    return listing


def _fact(wallet: Conversation, transaction: dict[str, Any], output: dict[str, Any]) -> Fact | None:
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


def _in_mempool(wallet: Conversation, txid: str) -> bool:
    """The wallet remembers what was replaced or dropped; only the mempool says what may still be mined."""
    try:
        wallet.call("getmempoolentry", txid)
    except JSONRPCError as error:
        if error.error["code"] == NOT_IN_WALLET_OR_MEMPOOL:
            return False
        raise
    return True


def _transaction_facts(wallet: Conversation, txid: str) -> dict[str, Fact]:
    """Raises JSONRPCError with code -5 when the wallet does not know it."""
    return _output_facts(wallet, wallet.call("gettransaction", txid, True))


def _output_facts(wallet: Conversation, transaction: dict[str, Any]) -> dict[str, Fact]:
    facts = (_fact(wallet, transaction, output) for output in transaction["details"])
    return {fact.reference: fact for fact in facts if fact is not None}


def _ask_again(wallet: Conversation, txid: str, references: set[str], facts: dict[str, Fact]) -> dict[str, Fact]:
    """Of a transaction that another one in a block made void, the wallet tells the (negative) depth of that block and no outputs."""
    try:
        transaction = wallet.call("gettransaction", txid, True)
    except JSONRPCError as error:
        if error.error["code"] != NOT_IN_WALLET_OR_MEMPOOL:
            raise
        return {reference: _gone(reference) for reference in references if reference not in facts}
    told = _output_facts(wallet, transaction)
    if transaction["confirmations"] < 0:
        told |= {reference: _gone(reference, is_conflicted=True) for reference in references if reference not in told}
    return told


def _gone(reference: str, *, is_conflicted: bool = False) -> Fact:
    """Only presence is told of a booked payment; the rest is kept."""
    return Fact(
        reference=reference,
        destination="",
        amount_base=Base(0),
        first_seen_at=datetime.max.replace(tzinfo=UTC),
        is_present=False,
        is_conflicted=is_conflicted,
    )
