"""Litecoin's extension blocks (MWEB), as litecoind's wallet tells of them. Pure; asks no node.

Money that a buyer sends out of MWEB to the shop's address is told of twice. While it waits there is the MWEB transaction, `receive` without
a `vout`. Its block then pays it out by an output of the block's last transaction, the HogEx: `immature` for six blocks, afterwards `hogex`,
`orphan` once a reorg took the block. That output is the money. The wallet goes on telling of the MWEB transaction beside it; one that was
not loaded when the money was sent tells of the output alone.
"""

from collections.abc import Sequence
from typing import Any

Entry = dict[str, Any]


def is_payout(entry: Entry) -> bool:
    """An MWEB transaction: it counts only while it waits, for it has no place in the chain. Its block's HogEx has."""
    return "vout" not in entry


def dated(entries: Sequence[Entry]) -> list[Entry]:
    """The same entries of one answer, but an output that paid out MWEB money was received when its transaction was."""
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
    """Within a block, all that MWEB pays to an address stands in one transaction."""
    return entry.get("blockhash", ""), entry["address"]
