"""What a wallet on bitcoind or litecoind received in a span of time, read apart from what the follower reads: each checks the other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptons.money import Base, parse_coin
from payments.networks.base import NodeRecord
from payments.networks.bitcoin import mweb
from payments.networks.bitcoin.rpc import Conversation, in_mempool

PATIENCE_SECONDS = 120
"""A wallet tells of some ten thousand payments a second."""
CLOCKS = timedelta(days=1)
"""How far before a moment the blocks begin that may hold what was received after it: their own clocks may be two hours wrong."""


def read_records(wallet: Conversation, since: datetime, until: datetime) -> Iterator[NodeRecord]:
    """Source: Bitcoin Core RPC `listsinceblock` from a block before `since`, `getblockheader`, `getmempoolentry`.

    `listtransactions` would come in pages, but in the order in which the wallet learned of things: after a rescan that is not time.
    """
    for entry in mweb.dated([entry for entry in _listed_since(wallet, since) if _came_in(entry)]):
        received_at = _known_at(entry)
        if since <= received_at < until and _stands(wallet, entry):
            yield _book_entry(wallet, entry, received_at)


def read_spending(wallet: Conversation, since: datetime, until: datetime) -> dict[str, dict[str, Base]]:
    """By transaction, what left the wallet for which address then."""
    spent: dict[str, dict[str, Base]] = {}
    for entry in _listed_since(wallet, since):
        if entry["category"] == "send" and "address" in entry and since <= _known_at(entry) < until and _stands(wallet, entry):
            paid = spent.setdefault(entry["txid"], {})
            amount = parse_coin(-Decimal(entry["amount"]), wallet.coin.code)
            paid[entry["address"]] = Base(paid.get(entry["address"], 0) + amount)
    return spent


def _listed_since(wallet: Conversation, since: datetime) -> list[dict[str, Any]]:
    wallet.be_patient(PATIENCE_SECONDS)
    listed: list[dict[str, Any]] = wallet.call("listsinceblock", _block_before(wallet, since - CLOCKS), 1, True, False)["transactions"]
    return listed


def _block_before(wallet: Conversation, moment: datetime) -> str:
    """The hash of the last block whose median time, which never goes back, lies before the moment; empty when none does."""
    before, after = -1, wallet.call("getblockcount") + 1
    found = ""
    while after - before > 1:
        height = (before + after) // 2
        block_hash = wallet.call("getblockhash", height)
        if datetime.fromtimestamp(wallet.call("getblockheader", block_hash)["mediantime"], UTC) < moment:
            before, found = height, block_hash
        else:
            after = height
    return found


def _came_in(entry: dict[str, Any]) -> bool:
    """Not what left, nor coinbase that is not ripe. Litecoin's money out of MWEB is `immature` at first, but nobody's coinbase."""
    if "address" not in entry:
        return False
    return entry["category"] in ("receive", "generate", "hogex") or (entry["category"] == "immature" and not entry.get("generated"))


def _known_at(entry: dict[str, Any]) -> datetime:
    """A node that was away learns of money late; its block proves when it was there at the latest."""
    seconds = entry["timereceived"]
    return datetime.fromtimestamp(min(seconds, entry["blocktime"]) if entry["confirmations"] > 0 else seconds, UTC)


def _stands(wallet: Conversation, entry: dict[str, Any]) -> bool:
    """In a block, or in the mempool. What MWEB pays out stands in its block a second time: there it is the money."""
    if entry["confirmations"] > 0:
        return not mweb.is_payout(entry)
    return entry["confirmations"] == 0 and in_mempool(wallet, entry["txid"])


def _book_entry(wallet: Conversation, entry: dict[str, Any], received_at: datetime) -> NodeRecord:
    is_confirmed = entry["confirmations"] > 0
    return NodeRecord(
        reference=f"{entry['txid']}:{entry['address'] if mweb.is_payout(entry) else entry['vout']}",
        destination=entry["address"],
        amount_base=parse_coin(Decimal(entry["amount"]), wallet.coin.code),
        received_at=received_at,
        is_confirmed=is_confirmed,
        height=entry["blockheight"] if is_confirmed else None,
    )
