"""Payouts in a database with no shop around it, and the processes that send them, which may be killed at any moment."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.running import LONGEST, PATIENCE, ROOT, Shop, data_of_a_first_start
from tests.stack.bitcoind import Node


def fill_purse(node: Node, name: str, *, coins: int) -> str:
    """A wallet with keys for payouts, and coins of 0.01 in it. Its name."""
    node.call("createwallet", wallet_name=name, load_on_startup=True)
    node.pay_many({node.call("getnewaddress", wallet=name): Decimal("0.01") for _ in range(coins)})
    node.mine()
    return name


def node_settings(node: Node, purse: str) -> dict[str, str]:
    usual = {"RATES": "fixed:BTC=65000.00,LTC=80.00", "PAYOUT_FEE_MINIMUM": "10", "NODE_TIMEOUT_SECONDS": str(min(5 * PATIENCE, 60))}
    return {**node.settings(), f"{node.prefix}_PAYOUT_WALLET": purse, **usual}


class PayoutLedger:
    """A database with payouts and no shop around it, and a server of processes that do something about them (tests/stack/sender.py)."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.shop = Shop(folder, **settings)
        about: dict[str, Any] = {"cwd": ROOT, "env": self.shop.environment}
        if self.shop.data.exists():  # a disk of its own
            subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], check=True, **about)
        else:
            shutil.copytree(data_of_a_first_start(), self.shop.data)
        command = [sys.executable, "-m", "tests.stack.sender"]
        self.server = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **about)

    def stop(self) -> None:
        self.server.kill()
        self.server.wait()

    def _begin(self, *command: Any) -> int:
        """Its pid."""
        assert self.server.stdin is not None
        self.server.stdin.write(f"{json.dumps(command)}\n")
        self.server.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self.server.stdout is not None
        return str(self.server.stdout.readline())

    def _ask(self, *command: Any) -> Any:
        self._begin(*command)
        answer = self._line()
        assert answer != "ended\n", "The process died."
        assert self._line() == "ended\n"
        return json.loads(answer)

    def make(self, network: str, amount: int, destinations: list[str]) -> list[str]:
        return list(self._ask("make", network, amount, *destinations))

    def send_and_kill(self, payout_id: str, wait: Callable[[], object]) -> None:
        """A process begins to send it, and is killed when the wait is over."""
        pid = self._begin("send", payout_id)
        wait()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while self._line() != "ended\n":
            pass

    def sweep(self, *, patience: int | None = None) -> None:
        """As if the time of each next try had come; with so many seconds for LND's answer."""
        self._ask("sweep", patience)

    def sign(self, payout_id: str, psbt: str) -> str:
        """What the shop says to the uploaded file; nothing when it takes it."""
        return str(self._ask("sign", payout_id, psbt))

    def allow(self, payout_id: str, fee: int) -> None:
        """A member of staff allows this fee, in base units."""
        self._ask("allow", payout_id, fee)

    def fee_words(self, payout_id: str) -> list[str]:
        """What its page says about the fee before it is sent."""
        return list(self._ask("fee", payout_id))

    def coins(self, payout_id: str) -> list[str]:
        """`txid:vout` of each coin that it spends, as its page tells."""
        return list(self._ask("coins", payout_id))

    def check(self, address: str, network: str, amount: int) -> str:
        """What the shop says to an address that a buyer gives; nothing when it takes it."""
        return str(self._ask("check", address, network, amount))

    def orders(self) -> dict[str, str]:
        """The label of each order at its wallet, with its address."""
        return dict(self._ask("orders"))

    def row(self, payout_id: str) -> dict[str, Any]:
        if "DATABASE_URL" in self.shop.environment:
            return dict(self._ask("row", payout_id))
        with closing(sqlite3.connect(self.shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database:
            database.row_factory = sqlite3.Row
            found = database.execute("select * from payments_payout where id = ?", [payout_id.replace("-", "")]).fetchone()
        return dict(found)

    def status(self, payout_id: str) -> str:
        return str(self.row(payout_id)["status"])
