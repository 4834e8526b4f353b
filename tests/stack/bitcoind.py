"""A real bitcoind on regtest: finding the program, running it, talking to it."""

import json
import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.programs import COMPOSE, command_of
from tests.running import LONGEST, free_port, wait_for

MOST_OUTPUTS = 200
"""Of one transaction."""


class RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class Node:
    """One node, and on it a wallet of the buyers, who have mined plenty, and one of the merchant, whose public descriptor the shop gets."""

    program = "bitcoind"
    choice: Mapping[str, str] = {}
    """What the script that gets the program is told."""
    code = "BTC"
    prefix = "BITCOIN"
    """Of the shop's settings about it."""
    default_port = "18443"
    options: tuple[str, ...] = ("-unsafesqlitesync",)
    chain = "regtest"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.more: tuple[str, ...] = ()
        self.is_ours = f"{self.prefix}_RPC_HOST" not in os.environ
        self.host = self._environment("HOST", "127.0.0.1")
        self.port = free_port() if self.is_ours else int(self._environment("PORT", self.default_port))
        self.user = "shop" if self.is_ours else self._environment("USER")
        self.password = "regtest-only" if self.is_ours else self._environment("PASS")
        self.http = self._client()

    def _environment(self, name: str, default: str = "") -> str:
        return os.environ.get(f"{self.prefix}_RPC_{name}", default)

    def _client(self) -> httpx.Client:
        return httpx.Client(auth=(self.user, self.password), timeout=LONGEST)

    def settings(self) -> dict[str, str]:
        """What the shop is told, to watch the merchant's addresses."""
        return {
            f"{self.prefix}_NETWORK": "regtest",
            f"{self.prefix}_RPC_HOST": self.host,
            f"{self.prefix}_RPC_PORT": str(self.port),
            f"{self.prefix}_RPC_USER": self.user,
            f"{self.prefix}_RPC_PASS": self.password,
            f"{self.prefix}_WALLET": self.watching,
            f"{self.prefix}_DESCRIPTOR": self.descriptor(),
        }

    def start(self, *more: str) -> None:
        """`more` options, of this start and of those after it."""
        self.more = more or self.more
        if self.is_ours:
            self.folder.mkdir(parents=True, exist_ok=True)
            program = command_of(self.folder, self.program, self.program, script="get-bitcoind.sh", choice=self.choice)
            environment = {**COMPOSE, **os.environ}
            version = subprocess.check_output([*program, "-version"], stdin=subprocess.DEVNULL, env=environment, text=True)
            self.process = subprocess.Popen(
                [
                    *(*program, f"-chain={self.chain}", f"-datadir={self.folder}", "-server=1", "-listen=0", "-dnsseed=0"),
                    *("-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", f"-rpcport={self.port}"),
                    *(f"-rpcuser={self.user}", f"-rpcpassword={self.password}", "-fallbackfee=0.0002", "-addresstype=bech32"),
                    *(*self.options, *self.more, "-keypool=10", "-printtoconsole=0"),
                    *(["-corepolicy"] if "Knots" in version else []),  # else it does not relay what lnd sends
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        wait_for(f"{self.program} to answer", self._answers, seconds=60)

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"{self.program} ended at once, with exit code {self.process.returncode}.")
        try:
            self.call("getblockchaininfo")
        except (httpx.HTTPError, RpcError):
            return False
        return True

    def make_wallets(self) -> None:
        run = secrets.token_hex(4)  # a node that is not ours may have those of an earlier run
        self.buyers, self.merchant, self.watching = f"buyers-{run}", f"merchant-{run}", f"cryptons-{run}"
        for wallet in (self.buyers, self.merchant):
            self.call("createwallet", wallet_name=wallet, load_on_startup=True)
        # Each coin that was mined pays one invoice: chains of unconfirmed change end at 25.
        self.mine(250)

    def change_password(self, password: str) -> None:
        """From its next start on."""
        self.password = password
        self.http = self._client()

    def look_far_ahead(self) -> None:
        """Let the merchant's wallet know the addresses of orders that nobody paid, and those behind them: it looks only ten ahead."""
        self.call("keypoolrefill", 2000, wallet=self.merchant)

    def descriptor(self) -> str:
        """The merchant's receiving addresses, without private keys."""
        for each in self.call("listdescriptors", wallet=self.merchant)["descriptors"]:
            if each["desc"].startswith("wpkh(") and not each["internal"]:
                return str(each["desc"])
        raise AssertionError("The merchant's wallet has no wpkh descriptor.")

    def mine(self, blocks: int = 1) -> list[str]:
        """Their hashes. Each time to another address: the same block would not be mined twice."""
        hashes: list[str] = self.call("generatetoaddress", blocks, self.call("getnewaddress", wallet=self.buyers))
        return hashes

    def pay(self, address: str, amount: str) -> str:
        """The transaction's id."""
        return str(self.call("sendtoaddress", address, amount, wallet=self.buyers))

    def pay_slowly(self, address: str, amount: str) -> str:
        """At 1 sat/vB, and replaceable. The transaction's id."""
        return str(self.call("sendtoaddress", address, amount, "", "", False, True, None, "unset", False, 1, wallet=self.buyers))

    def pay_many(self, amounts: Mapping[str, Decimal]) -> str:
        """All of them by one transaction. Its id."""
        return str(self.call("sendmany", "", {address: str(amount) for address, amount in amounts.items()}, wallet=self.buyers))

    def pay_each(self, amounts: Mapping[str, Decimal]) -> list[str]:
        """Each by a transaction of its own, of one coin and without change. Their ids."""
        fee = Decimal("0.00001")
        homes = self.call_each("getnewaddress", [()] * len(amounts), wallet=self.buyers)
        parts = [slice(start, start + MOST_OUTPUTS) for start in range(0, len(amounts), MOST_OUTPUTS)]
        for part in parts:
            self.pay_many({home: amount + fee for home, amount in zip(homes[part], list(amounts.values())[part], strict=True)})
        self.mine()
        coins = {coin["address"]: coin for coin in self.call("listunspent", 1, 1, homes, wallet=self.buyers)}
        spent = [[{"txid": coins[home]["txid"], "vout": coins[home]["vout"]}] for home in homes]
        sent: list[str] = []
        for part in parts:
            paid = [[{address: str(amount)}] for address, amount in list(amounts.items())[part]]
            raw = self.call_each("createrawtransaction", list(zip(spent[part], paid, strict=True)))
            signed = self.call_each("signrawtransactionwithwallet", [(each,) for each in raw], wallet=self.buyers)
            sent += self.call_each("sendrawtransaction", [(each["hex"],) for each in signed])
        return sent

    def stop(self) -> None:
        if self.process is None:
            pytest.fail("This test stops and starts the node: it needs one of its own.", pytrace=False)
        self.call("stop")
        self.http.close()  # litecoind waits for its clients
        self.process.wait(LONGEST)
        self.process = None
        self.http = self._client()

    def call(self, method: str, *parameters: Any, wallet: str = "", **named: Any) -> Any:
        """Amounts come as Decimal and go as strings."""
        return self._result(self._post({"jsonrpc": "1.0", "id": 1, "method": method, "params": named or parameters}, wallet))

    def call_each(self, method: str, parameters: Sequence[Sequence[Any]], *, wallet: str = "") -> list[Any]:
        """The same many times, in one request."""
        calls = [{"jsonrpc": "1.0", "id": place, "method": method, "params": each} for place, each in enumerate(parameters)]
        return [self._result(told) for told in self._post(calls, wallet)]

    def _post(self, body: Any, wallet: str) -> Any:
        url = f"http://{self.host}:{self.port}/" + (f"wallet/{wallet}" if wallet else "")
        answer = self.http.post(url, content=json.dumps(body, default=str))
        if answer.status_code in (401, 403):
            raise AssertionError(f"{self.program} refused the password of {self.user!r}.")
        return json.loads(answer.content, parse_float=Decimal)

    def _result(self, told: dict[str, Any]) -> Any:
        if told["error"]:
            raise RpcError(told["error"]["code"], told["error"]["message"])
        return told["result"]


def restart(node: Node, *options: str) -> None:
    """With these options until it starts again, and without its memory of what others paid as a fee."""
    usual = node.options
    node.stop()
    for memory in node.folder.rglob("fee_estimates.dat"):
        memory.unlink()
    node.options = (*usual, *options)
    try:
        node.start()
    finally:
        node.options = usual
