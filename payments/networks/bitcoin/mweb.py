"""Litecoin's extension blocks (MWEB), as litecoind's wallet lists them. Pure; asks no node.

Money that a buyer sends out of MWEB to the shop's address is listed twice. In the mempool there is the MWEB transaction, `receive` without
a `vout`. Its block then pays it out by an output of the block's last transaction, the HogEx: `immature` for six blocks, afterwards `hogex`,
`orphan` once a reorg took the block. That output is the money. The wallet continues to list the MWEB transaction as well; one that was
not loaded when the money was sent tells of the output alone.
"""

from collections.abc import Sequence
from typing import Any

Entry = dict[str, Any]


def is_payout(entry: Entry) -> bool:
    """Return whether this is an MWEB transaction. It counts only in the mempool; in the chain, the HogEx of its block counts."""
    return "vout" not in entry


def dated(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries of one answer, where an output that pays out MWEB money has the time of its MWEB transaction."""
    sent: dict[tuple[str, str], int] = {}
    for entry in entries:
        if is_payout(entry) and entry["confirmations"] > 0:
            sent[_place(entry)] = min(entry["timereceived"], sent.get(_place(entry), entry["timereceived"]))
    if not sent:
        return list(entries)
    return [
        entry | {"timereceived": min(entry["timereceived"], sent[_place(entry)])} if _place(entry) in sent else entry for entry in entries
    ]


def _place(entry: Entry) -> tuple[str, str]:
    """Return block and address: within a block, MWEB pays an address by one transaction only."""
    return entry.get("blockhash", ""), entry["address"]
