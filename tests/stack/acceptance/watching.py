"""What the cases wait for and look up."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from tests.running import LONGEST, Shop, wait_for
from tests.stack.buying import (
    Bought,
    paid_in_dollars,
)


def wait_for_money(shop: Shop, bought: Bought) -> None:
    wait_for("the money to be seen", lambda: paid_in_dollars(shop, bought))


def wait_for_a_turn(shop: Shop) -> None:
    """Until the follower has asked the node once more from now on. The first answer may be to what it asked before."""
    newer = "select 1 from payments_cursor where network = 'BTC' and answered_at > ?"
    for _ in range(2):
        began = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
        wait_for("the follower's next turn", lambda began=began: rows(shop, newer, began))  # type: ignore[misc]


def rows(shop: Shop, question: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database:
        return database.execute(question, values).fetchall()
