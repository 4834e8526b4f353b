"""Read what a wallet on bitcoind or litecoind received or spent in a period, apart from the follower, so that each checks the other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptons.money import Base, parse_coin
from payments.networks.base import NodeRecord
from payments.networks.bitcoin import mweb
from payments.networks.bitcoin.rpc import Conversation, in_mempool

PATIENCE_SECONDS = 120
"""A wallet lists some ten thousand payments a second."""
CLOCKS = timedelta(days=1)
"""How far before a moment the blocks begin that may hold what was received after it: their own clocks may be two hours wrong."""


def read_records(wallet: Conversation, since: datetime, until: datetime) -> Iterator[NodeRecord]:
    """Yield the payments that the wallet received in the period.

    Source: Bitcoin Core RPC `listsinceblock` from a block before `since`, `getblockheader`, `getmempoolentry`.

    `listtransactions` has pages, but in the order in which the wallet saw the transactions, which a rescan changes.
    """
    for entry in mweb.dated([entry for entry in _listed_since(wallet, since) if _came_in(entry)]):
        received_at = _known_at(entry)
        if since <= received_at < until and _is_present(wallet, entry):
            yield _record(wallet, entry, received_at)


def read_spending(wallet: Conversation, since: datetime, until: datetime) -> dict[str, dict[str, Base]]:
    """Return what left the wallet in the period: {txid: {address: amount}}, in base units."""
    spent: dict[str, dict[str, Base]] = {}
    for entry in _listed_since(wallet, since):
        if entry["category"] == "send" and "address" in entry and since <= _known_at(entry) < until and _is_present(wallet, entry):
            paid = spent.setdefault(entry["txid"], {})
            amount = parse_coin(-Decimal(entry["amount"]), wallet.coin.code)
            paid[entry["address"]] = Base(paid.get(entry["address"], 0) + amount)
    return spent


def _listed_since(wallet: Conversation, since: datetime) -> list[dict[str, Any]]:
    wallet.be_patient(PATIENCE_SECONDS)
    listed: list[dict[str, Any]] = wallet.call("listsinceblock", _block_before(wallet, since - CLOCKS), 1, True, False)["transactions"]
    return listed


def _block_before(wallet: Conversation, moment: datetime) -> str:
    """Return the hash of the last block whose median time, which never decreases, is before the moment; empty if there is none."""
    before, after = -1, wallet.call("getblockcount") + 1
    last_hash = ""
    while after - before > 1:
        height = (before + after) // 2
        block_hash = wallet.call("getblockhash", height)
        if datetime.fromtimestamp(wallet.call("getblockheader", block_hash)["mediantime"], UTC) < moment:
            before, last_hash = height, block_hash
        else:
            after = height
    return last_hash


def _came_in(entry: dict[str, Any]) -> bool:
    """Return whether the entry pays the wallet: not a spend, and not an immature coinbase.

    Litecoin's money out of MWEB is `immature` at first, but is not a coinbase.
    """
    if "address" not in entry:
        return False
    return entry["category"] in ("receive", "generate", "hogex") or (entry["category"] == "immature" and not entry.get("generated"))


def _known_at(entry: dict[str, Any]) -> datetime:
    """Return when the payment was received. A node that was away sees it late; then the time of its block counts."""
    seconds = entry["timereceived"]
    return datetime.fromtimestamp(min(seconds, entry["blocktime"]) if entry["confirmations"] > 0 else seconds, UTC)


def _is_present(wallet: Conversation, entry: dict[str, Any]) -> bool:
    """Return whether the transaction is in a block or in the mempool. A payment out of MWEB counts by the output in its block."""
    if entry["confirmations"] > 0:
        return not mweb.is_payout(entry)
    return entry["confirmations"] == 0 and in_mempool(wallet, entry["txid"])


def _record(wallet: Conversation, entry: dict[str, Any], received_at: datetime) -> NodeRecord:
    is_confirmed = entry["confirmations"] > 0
    return NodeRecord(
        reference=f"{entry['txid']}:{entry['address'] if mweb.is_payout(entry) else entry['vout']}",
        destination=entry["address"],
        amount_base=parse_coin(Decimal(entry["amount"]), wallet.coin.code),
        received_at=received_at,
        is_confirmed=is_confirmed,
        height=entry["blockheight"] if is_confirmed else None,
        label=entry.get("label", ""),
    )
