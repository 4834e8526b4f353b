"""Bitcoin and Litecoin through a node's wallet. Speaks Bitcoin Core's JSON-RPC; amounts leave here as satoshis or litoshis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from cryptons.coins import CoreCoin
from cryptons.money import Base, parse_coin
from payments.confirmations import deepest_final_depth
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.base import (
    ORDER_LABEL,
    CursorState,
    Destination,
    DestinationRequest,
    Fact,
    FactPage,
    IssuingWallet,
    KnownPayment,
    NodeHealth,
    NodeRecord,
)
from payments.networks.bitcoin import mweb
from payments.networks.bitcoin.history import read_records
from payments.networks.bitcoin.identity import born_at, former_wallets, owns, recognise
from payments.networks.bitcoin.rpc import (
    NOT_A_HASH,
    NOT_IN_WALLET_OR_MEMPOOL,
    Conversation,
    another_chain,
    behind,
    checked_chain,
    in_mempool,
    is_in_chain,
    knows_block,
    synced_chain,
)
from payments.networks.bitcoin.wallet import describe_wallet, new_address, open_wallet
from payments.networks.json_rpc import RpcError
from payments.networks.reading import name_of, reading

HASH_LENGTH = 64
INCOME = ("receive", "generate", "hogex")
BLOCK = ("confirmations", "blockhash", "blockheight", "blocktime")


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class BitcoinNetwork:
    def __init__(self, coin: CoreCoin) -> None:
        self.coin = coin
        self.code = coin.code

    def open_destination(self, request: DestinationRequest) -> Destination:
        with open_wallet(self.coin) as wallet:
            synced_chain(wallet)
            if request.known_block and not knows_block(wallet, request.known_block):
                raise another_chain(self.coin)
            return Destination(new_address(wallet, request.label), wallet=self.coin.wallet)

    def close_destination(self, destination: str) -> None:
        """Do nothing: a chain cannot refuse a payment to an address."""

    def facts_since(self, cursor: CursorState, unsettled: Mapping[str, KnownPayment]) -> FactPage:
        """Return what the wallet received after the cursor's block, what a reorg took back, and the facts of the `unsettled` payments.

        Source: Bitcoin Core RPC `listsinceblock` (`transactions`, `removed`), `gettransaction`, `getmempoolentry`. The next cursor is the
        block that lies as deep as a payment must to be final, so the node reports younger ones again at each poll; and it lies before the
        block of a coinbase that pays an order and is not mature yet.
        """
        with open_wallet(self.coin) as wallet:
            chain = synced_chain(wallet)
            self._check_block(wallet, cursor.value, is_young=chain["initialblockdownload"])
            known = recognise(wallet, cursor)
            with former_wallets(wallet, known.former) as former:
                read = [(wallet, not known.is_new)] + [(other, state.is_read) for state, other in former if other is not None]
                poll = _read_wallets(read, cursor.value, unsettled, chain["blocks"])
            states = [replace(state, is_read=other is not None) for state, other in former]
        return FactPage(
            tuple(poll.facts.values()),
            CursorState(poll.next_block, wallets=(known.current, *states)),
            chain["blocks"],
            tuple(sorted(poll.unread)),
        )

    def _check_block(self, wallet: Conversation, block_hash: str, *, is_young: bool) -> None:
        """Raise AnotherChain if the node does not know the block; NodeUnavailable if it has only begun to read the chain.

        A cursor that is not a hash is the sandbox's.
        """
        if len(block_hash) != HASH_LENGTH or knows_block(wallet, block_hash):
            return
        if is_young:
            raise NodeUnavailable(_("%(node)s is still catching up with the chain.") % {"node": self.coin.node})
        raise another_chain(self.coin)

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        """Return the payments to these addresses.

        Source: Bitcoin Core RPC `listreceivedbyaddress`, `gettransaction`; for MWEB `getblockheader`, `listsinceblock`.
        """
        facts: dict[str, Fact] = {}
        with open_wallet(self.coin) as wallet:
            synced_chain(wallet)
            with former_wallets(wallet, wallets) as former:
                for place in [wallet, *(other for _state, other in former if other is not None)]:
                    for address in destinations:
                        for received in place.call("listreceivedbyaddress", 0, True, True, address):
                            for txid in received["txids"]:
                                facts.update(_facts(place, _transaction_entries(place, txid), set()))
        asked = set(destinations)
        return tuple(fact for fact in facts.values() if fact.destination in asked)

    def records(self, since: datetime, until: datetime, wallets: Sequence[IssuingWallet] = ()) -> list[NodeRecord]:
        with open_wallet(self.coin) as wallet:
            synced_chain(wallet)
            records = list(read_records(wallet, since, until))
            with former_wallets(wallet, wallets) as former:
                for _state, other in former:
                    records += read_records(other, since, until) if other is not None else ()
            return records

    def health(self) -> NodeHealth:
        """Return the health of node and wallet.

        Source: Bitcoin Core RPC `getblockchaininfo`, `getnetworkinfo`, `getnettotals`, `getwalletinfo`, `listdescriptors`.
        """
        try:
            with open_wallet(self.coin) as wallet:
                chain = checked_chain(wallet)
                network = wallet.call("getnetworkinfo")
                words = describe_wallet(wallet)
                clock_off = _clock_off(wallet)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))
        peers = network["connections"]
        alone = peers == 0 and chain["chain"] != "regtest"
        return NodeHealth(
            problem=_("%(node)s is still catching up with the chain.") % {"node": self.coin.node} if behind(chain) else "",
            warning=_("The node has no peers: it receives no blocks or payments.") if alone else "",
            height=chain["blocks"],
            behind=chain["headers"] - chain["blocks"],
            tip_at=_time(chain.get("time", chain["mediantime"])),
            peers=peers,
            wallet=words,
            version=network["subversion"].strip("/"),
            clock_off=clock_off,
        )


@dataclass(frozen=True)
class Poll:
    """What one poll found in all wallets."""

    facts: dict[str, Fact]
    unread: set[str]
    next_block: str


def _read_wallets(wallets: Sequence[tuple[Conversation, bool]], block_hash: str, unsettled: Mapping[str, KnownPayment], tip: int) -> Poll:
    """Read the wallets, of which the first is in use: each from the cursor's block on if the last poll read it, else from its beginning."""
    facts: dict[str, Fact] = {}
    unread: set[str] = set()
    removed: set[str] = set()
    depth = deepest_final_depth()
    next_blocks = []
    for wallet, was_read in wallets:
        listing = _list_since(wallet, block_hash if was_read else "", depth)
        facts = _facts(wallet, listing["transactions"], unread) | facts
        removed |= {entry["txid"] for entry in listing.get("removed", ())}
        next_blocks += [_before_immature(wallet, listing["transactions"], tip + 1 - depth), (tip + 1 - depth, listing["lastblock"])]
    again = {reference for reference in unsettled if reference not in facts or _txid(reference) in removed}
    for txid in sorted({_txid(reference) for reference in again}):
        asked = {reference: unsettled[reference] for reference in again if _txid(reference) == txid}
        with reading(txid, unread):
            facts.update(_ask_again([wallet for wallet, _ in wallets], txid, asked, facts, unread))
    facts.update(_without_parents([wallet for wallet, _ in wallets], [facts[name] for name in unsettled if name in facts]))
    return Poll(facts, unread, min(block for block in next_blocks if block)[1])


def _clock_off(wallet: Conversation) -> timedelta:
    """Return by how much the clock of the node's machine is ahead of ours."""
    before = timezone.now()
    told = datetime.fromtimestamp(int(wallet.call("getnettotals")["timemillis"]) // 1000, UTC)
    return told - before


def _txid(reference: str) -> str:
    return reference.partition(":")[0]


def _list_since(wallet: Conversation, block_hash: str, depth: int) -> dict[str, Any]:
    """List what the wallet received after the block; everything if this node does not know the block.

    The block is unknown when the node was replaced, when a reorg removed the block, or when the cursor is the sandbox's.
    """
    try:
        listing: dict[str, Any] = wallet.call("listsinceblock", block_hash, depth, True, True)
    except RpcError as error:
        if error.code not in (NOT_IN_WALLET_OR_MEMPOOL, NOT_A_HASH) or not block_hash:
            raise
        listing = wallet.call("listsinceblock", "", depth, True, True)
    return listing


def _before_immature(wallet: Conversation, entries: Iterable[dict[str, Any]], height: int) -> tuple[int, str] | None:
    """Return the block before the oldest coinbase that pays an order and is not mature yet; None if none lies in this block or below."""
    blocks = [
        (entry["blockheight"], entry["blockhash"])
        for entry in entries
        if entry["category"] == "immature" and entry.get("generated") and entry.get("label", "").startswith(ORDER_LABEL)
        if entry["blockheight"] <= height
    ]
    if not blocks:
        return None
    place, block_hash = min(blocks)
    return place - 1, wallet.call("getblockheader", block_hash)["previousblockhash"]


def _without_parents(wallets: Sequence[Conversation], facts: Iterable[Fact]) -> dict[str, Fact]:
    """Return those payments as double spent that went because a transaction which they spend is no longer valid.

    The wallet does not know that transaction, and so names no conflict. If a payment was only dropped, its coins are still there.
    """
    lost: dict[str, Fact] = {}
    for fact in facts:
        if not fact.is_present and not fact.is_conflicted and fact.destination:
            wallet = next(wallet for wallet in wallets if owns(wallet, fact.destination))
            spent = wallet.call("gettransaction", _txid(fact.reference), True, True)["decoded"]["vin"]
            if any(wallet.call("gettxout", coin["txid"], coin["vout"], True) is None for coin in spent if "txid" in coin):
                lost[fact.reference] = replace(fact, is_conflicted=True)
    return lost


def _facts(wallet: Conversation, entries: Iterable[dict[str, Any]], unread: set[str]) -> dict[str, Fact]:
    """Return the fact of each output that pays the wallet, by reference."""
    facts: dict[str, Fact] = {}
    for entry in mweb.dated(list(_incomes(entries, unread))):
        with reading(_name(entry), unread):
            fact = _fact(wallet, entry)
            facts[fact.reference] = fact
    return facts


def _incomes(entries: Iterable[dict[str, Any]], unread: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the readable entries that pay the wallet: the facts of all entries depend on their time and depth."""
    for entry in entries:
        with reading(_name(entry), unread):
            if _is_income(entry):
                yield entry | {name: int(entry[name]) for name in ("timereceived", "confirmations")}


def _name(entry: dict[str, Any]) -> str:
    return f"{name_of(entry, 'txid')}:{entry.get('vout', entry.get('address', ''))}"


def _is_income(entry: dict[str, Any]) -> bool:
    """Return whether the entry pays the wallet: not a spend, an immature coinbase, or an output without an address."""
    category = entry["category"]
    is_hogex = category in ("immature", "orphan") and not entry.get("generated")
    return "address" in entry and (category in INCOME or is_hogex)


def _fact(wallet: Conversation, entry: dict[str, Any]) -> Fact:
    confirmations = entry["confirmations"]
    is_payout = mweb.is_payout(entry)
    waits = confirmations == 0 and in_mempool(wallet, entry["txid"])
    if confirmations == 0 and not waits:
        now = wallet.call("gettransaction", entry["txid"], True)
        if now["confirmations"] > 0:  # mined between the two questions
            if not is_payout:
                return _fact(wallet, entry | {name: now[name] for name in BLOCK})
            waits = True  # until the next turn tells of its output
    in_block = confirmations > 0 and not is_payout
    first_seen = min(entry["timereceived"], entry["blocktime"]) if in_block else entry["timereceived"]
    conflicts = [*entry.get("walletconflicts", ()), *entry.get("mempoolconflicts", ())]
    present = in_block or waits
    return Fact(
        reference=f"{entry['txid']}:{entry['address'] if is_payout else entry['vout']}",
        destination=entry["address"],
        amount_base=parse_coin(Decimal(entry["amount"]), wallet.coin.code),
        first_seen_at=_time(first_seen),
        height=entry["blockheight"] if in_block else None,
        block_hash=entry["blockhash"] if in_block else "",
        is_present=present,
        is_conflicted=not present and (confirmations < 0 or bool(conflicts)),
        label=entry.get("label", ""),
    )


def _output_entries(transaction: dict[str, Any]) -> list[dict[str, Any]]:
    """Convert an answer of `gettransaction` to entries of `listsinceblock`."""
    return [transaction | output for output in transaction["details"]]


def _transaction_entries(wallet: Conversation, txid: str) -> list[dict[str, Any]]:
    """Return the entries of a transaction, with the outputs by which its block paid out money from MWEB."""
    transaction = wallet.call("gettransaction", txid, True)
    entries = _output_entries(transaction)
    if transaction["confirmations"] > 0 and any(mweb.is_payout(entry) for entry in entries):
        before = wallet.call("getblockheader", transaction["blockhash"])["previousblockhash"]
        listed = _list_since(wallet, before, 1)["transactions"]
        entries += [entry for entry in listed if entry.get("blockhash") == transaction["blockhash"] and entry["txid"] != txid]
    return entries


def _ask_again(
    wallets: Sequence[Conversation], txid: str, asked: Mapping[str, KnownPayment], facts: dict[str, Fact], unread: set[str]
) -> dict[str, Fact]:
    """Return the present facts of payments of one transaction that the list left out, or of which a reorg removed the block.

    For a transaction that conflicts with one in a block, the wallet returns the negative depth of that block and no outputs. A payment that
    no wallet knows is left out unless it has certainly gone.
    """
    present: dict[str, Fact] = {}
    is_known = False
    for wallet in wallets:
        try:
            transaction = wallet.call("gettransaction", txid, True)
        except RpcError as error:
            if error.code != NOT_IN_WALLET_OR_MEMPOOL:
                raise
            continue
        is_known = True
        present |= _facts(wallet, _output_entries(transaction), unread)
        if transaction["confirmations"] < 0:
            present |= {reference: _gone(reference, is_conflicted=True) for reference in asked if reference not in present}
    if not is_known:
        lost = (reference for reference, payment in asked.items() if reference not in facts and _is_lost(wallets, txid, payment))
        present |= {reference: _gone(reference) for reference in lost}
    return present


def _is_lost(wallets: Sequence[Conversation], txid: str, payment: KnownPayment) -> bool:
    """Return whether a payment has gone that its wallet does not know.

    Its wallet is the one that issued the address; one that was created later than the payment does not count. A payment that is still in
    its block or in the mempool is there, also if the wallet does not know it.
    """
    issuer = next((wallet for wallet in wallets if owns(wallet, payment.destination)), None)
    if issuer is None or born_at(issuer, payment.destination) > payment.first_seen_at.timestamp():
        return False
    if payment.block_hash and is_in_chain(issuer, payment.block_hash):
        return False
    return not in_mempool(issuer, txid)


def _gone(reference: str, *, is_conflicted: bool = False) -> Fact:
    """Return the fact that a stored payment is gone. Its other fields are placeholders, which are not stored."""
    return Fact(
        reference=reference,
        destination="",
        amount_base=Base(0),
        first_seen_at=datetime.max.replace(tzinfo=UTC),
        is_present=False,
        is_conflicted=is_conflicted,
    )
