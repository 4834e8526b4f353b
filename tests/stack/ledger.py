"""What `manage.py reconcile` says of a shop, and changes of its ledger behind its back."""

import sqlite3
import subprocess
import sys
from contextlib import closing

from tests.running import LONGEST, ROOT, Shop
from tests.stack.buying import Bought


def manage(shop: Shop, *arguments: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=shop.environment, capture_output=True, text=True, timeout=5 * LONGEST, check=False)
    return done.returncode, done.stdout, done.stderr


def differences(shop: Shop, *arguments: str) -> list[list[str]]:
    """The cells of each line that is an alarm; none of them is told when all is well."""
    code, told, trouble = manage(shop, "reconcile", *arguments)
    assert "NOT COMPARED" not in told, told
    _, _, table = told.partition(" difference")
    rows = [line.strip().split("  ") for line in table.partition("Money for no invoice")[0].splitlines()[1:]]
    assert code == bool(rows), trouble
    assert rows or "No differences." in told
    return [[cell.strip() for cell in row if cell] for row in rows]


def notes(shop: Shop) -> str:
    return manage(shop, "reconcile")[1].partition("Money for no invoice")[2]


def change_ledger(shop: Shop, statement: str, *values: object) -> None:
    """As nobody should: behind the shop's back."""
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database:
        assert database.execute(statement, values).rowcount == 1
        database.commit()


def read_ledger(shop: Shop, query: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database:
        return database.execute(query, values).fetchall()


def reference_of(shop: Shop, bought: Bought) -> str:
    """Of its one payment that settled it."""
    query = "select reference from payments_payment where invoice_id = ? and status = 'settled'"
    ((reference,),) = read_ledger(shop, query, bought.invoice.replace("-", ""))
    return str(reference)
