"""A real bitcoind on regtest: finding the program, running it, talking to it."""

import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import free_port, wait_for
from tests.servers import COMPOSE, command_of


class RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class Node:
    """One node, and on it a wallet of the buyers, who have mined plenty, and one of the merchant, whose public descriptor the shop gets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.is_ours = "BITCOIN_RPC_HOST" not in os.environ
        self.host = os.environ.get("BITCOIN_RPC_HOST", "127.0.0.1")
        self.port = free_port() if self.is_ours else int(os.environ.get("BITCOIN_RPC_PORT", "18443"))
        self.user = "shop" if self.is_ours else os.environ.get("BITCOIN_RPC_USER", "")
        self.password = "regtest-only" if self.is_ours else os.environ.get("BITCOIN_RPC_PASS", "")
        self.http = httpx.Client(auth=(self.user, self.password), timeout=60)

    def start(self) -> None:
        if self.is_ours:
            self.folder.mkdir(parents=True, exist_ok=True)
            program = command_of(self.folder, "bitcoind", "bitcoind", script="get-bitcoind.sh")
            environment = {**COMPOSE, **os.environ}
            version = subprocess.check_output([*program, "-version"], stdin=subprocess.DEVNULL, env=environment, text=True)
            self.process = subprocess.Popen(
                [
                    *(*program, "-regtest", f"-datadir={self.folder}", "-server=1", "-listen=0", "-dnsseed=0"),
                    *("-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", f"-rpcport={self.port}"),
                    *(f"-rpcuser={self.user}", f"-rpcpassword={self.password}", "-fallbackfee=0.0002", "-addresstype=bech32"),
                    *("-unsafesqlitesync", "-keypool=10", "-printtoconsole=0"),
                    *(["-corepolicy"] if "Knots" in version else []),  # else it does not relay what lnd sends
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        wait_for("bitcoind to answer", self._answers, seconds=30)

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"bitcoind ended at once, with exit code {self.process.returncode}.")
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
        self.http = httpx.Client(auth=(self.user, password), timeout=60)

    def descriptor(self) -> str:
        """The merchant's receiving addresses, without private keys."""
        for each in self.call("listdescriptors", wallet=self.merchant)["descriptors"]:
            if each["desc"].startswith("wpkh(") and not each["internal"]:
                return str(each["desc"])
        raise AssertionError("The merchant's wallet has no wpkh descriptor.")

    def mine(self, blocks: int = 1) -> None:
        self.call("generatetoaddress", blocks, self.call("getnewaddress", wallet=self.buyers))

    def pay(self, address: str, amount: str) -> str:
        """The transaction's id."""
        return str(self.call("sendtoaddress", address, amount, wallet=self.buyers))

    def pay_many(self, amounts: Mapping[str, Decimal]) -> str:
        """All of them by one transaction. Its id."""
        return str(self.call("sendmany", "", {address: str(amount) for address, amount in amounts.items()}, wallet=self.buyers))

    def stop(self) -> None:
        if self.process is None:
            pytest.fail("This test stops and starts the node: it needs one of its own, so run it without BITCOIN_RPC_HOST.", pytrace=False)
        self.call("stop")
        self.process.wait(60)
        self.process = None

    def call(self, method: str, *parameters: Any, wallet: str = "", **named: Any) -> Any:
        """Amounts come as Decimal and go as strings."""
        url = f"http://{self.host}:{self.port}/" + (f"wallet/{wallet}" if wallet else "")
        body = {"jsonrpc": "1.0", "id": 1, "method": method, "params": named or parameters}
        answer = self.http.post(url, content=json.dumps(body, default=str))
        if answer.status_code in (401, 403):
            raise AssertionError(f"bitcoind refused the password of {self.user!r}.")
        told = json.loads(answer.content, parse_float=Decimal)
        if told["error"]:
            raise RpcError(told["error"]["code"], told["error"]["message"])
        return told["result"]
