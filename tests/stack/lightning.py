"""Two real lnds on a regtest bitcoind, the shop's and a payer's, with a channel each way; told what to do through lncli."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc

from tests.programs import find
from tests.running import LONGEST, PATIENCE, free_port, wait_for
from tests.servers import Server, spawn
from tests.stack.bitcoind import Node

RECEIVE = [
    *(f"uri:/lnrpc.Lightning/{method}" for method in ("GetInfo", "AddInvoice", "LookupInvoice", "ListInvoices", "SubscribeInvoices")),
    *(f"uri:/lnrpc.Lightning/{method}" for method in ("ListChannels", "ChannelBalance", "DecodePayReq", "QueryRoutes")),
    "uri:/invoicesrpc.Invoices/CancelInvoice",
]
"""What a shop must be allowed to do to be paid and to estimate the fees of payouts, and nothing else."""
PAY_OUT = [
    *(f"uri:/lnrpc.Lightning/{method}" for method in ("DecodePayReq", "ListPayments")),
    *(f"uri:/routerrpc.Router/{method}" for method in ("SendPaymentV2", "TrackPaymentV2")),
]

QUICK = [
    *("--bitcoind.rpcpolling", "--bitcoind.blockpollinginterval=200ms", "--bitcoind.txpollinginterval=200ms"),
    *("--bitcoin.defaultchanconfs=1", "--trickledelay=50", "--db.batch-commit-interval=10ms", "--channel-commit-interval=5ms"),
    *("--maxpendingchannels=5", "--minbackoff=1s", "--maxbackoff=2s", "--numgraphsyncpeers=1", "--max-cltv-expiry=5000"),
    *("--healthcheck.chainbackend.attempts=0", "--healthcheck.diskspace.attempts=0", "--logging.file.max-files=1"),
]


class CliError(Exception):
    """What lncli said."""


class Lnd:
    def __init__(self, name: str, folder: Path, node: Node, *, password: str = "") -> None:
        """With a password (under 128 letters) it can be locked; without one lnd makes its own wallet."""
        self.name, self.folder, self.node, self.password = name, folder, node, password
        self.program = find("lnd", "lnd", script="get-lnd.sh")
        self.port, self.peer_port = free_port(), free_port()
        self.server: Server | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "tls.cert"

    @property
    def admin_macaroon(self) -> Path:
        return self.folder / "data/chain/bitcoin/regtest/admin.macaroon"

    def start(self, *options: str, wait: bool = True, locked: bool = False) -> None:
        """`locked`: one with a password waits for `unlock`."""
        address = f"--bitcoind.rpchost={self.node.host}:{self.node.port}"
        command = [
            *(self.program, f"--lnddir={self.folder}", "--bitcoin.regtest", "--bitcoin.node=bitcoind", address),
            *(f"--bitcoind.rpcuser={self.node.user}", f"--bitcoind.rpcpass={self.node.password}", *QUICK),
            *(f"--rpclisten={self.host}", f"--listen=127.0.0.1:{self.peer_port}", "--norest", "--tlsdisableautofill"),
            *(f"--alias={self.name}", "--nobootstrap", *options),
        ]
        has_wallet = (self.admin_macaroon.parent / "wallet.db").exists()
        if not self.password:
            command.append("--noseedbackup")
        elif has_wallet and not locked:
            file = self.folder / "password"
            file.write_text(self.password)
            command.append(f"--wallet-unlock-password-file={file}")
        self.server = spawn(self.name, command, self.folder)
        if self.password and not has_wallet:
            self._make_wallet()
        if wait:
            wait_for(f"{self.name} to follow the chain", lambda: self.try_to("getinfo").get("synced_to_chain"), seconds=90)

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    def kill(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server = None

    def freeze(self) -> None:
        """Still there, and answers nothing."""
        assert self.server is not None
        os.kill(self.server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.server is not None
        os.kill(self.server.pid, signal.SIGCONT)

    def _make_wallet(self) -> None:
        """As `lncli create` does, which wants a terminal. The seed's words are field 1 of the one message and field 2 of the other."""
        wait_for(f"{self.name} to ask for a wallet", lambda: self.try_to("state").get("state") == "NON_EXISTING", seconds=60)
        credentials = grpc.ssl_channel_credentials(self.certificate.read_bytes())
        with grpc.secure_channel(self.host, credentials) as channel:
            generate: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/lnrpc.WalletUnlocker/GenSeed")
            seed = generate(b"", timeout=LONGEST)
            wallet = _field(1, self.password.encode()) + b"".join(_field(2, word) for word in _values(1, seed))
            initialise: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/lnrpc.WalletUnlocker/InitWallet")
            initialise(wallet, timeout=LONGEST)

    def unlock(self) -> None:
        command = [*self.lncli(), "unlock", "--stdin"]
        subprocess.run(command, input=f"{self.password}\n", text=True, check=True, capture_output=True, timeout=2 * LONGEST)

    def lncli(self) -> list[str]:
        return [str(Path(self.program).with_name("lncli")), f"--rpcserver={self.host}", f"--lnddir={self.folder}", "--network=regtest"]

    def cli(self, *arguments: str) -> Any:
        """What lncli answers, read as JSON. Raises CliError."""
        command = [*self.lncli(), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=2 * LONGEST)
        if done.returncode:
            raise CliError(done.stderr.strip())
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def try_to(self, *arguments: str) -> dict[str, Any]:
        """As `cli`, but nothing while lnd does not answer."""
        assert self.server is not None
        assert self.server.process is not None
        if self.server.process.poll() is not None:
            raise AssertionError(f"{self.name} ended: {(self.folder.parent / f'{self.folder.name}.log').read_text()[-1000:]}")
        try:
            answer = self.cli(*arguments)
        except CliError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def pubkey(self) -> str:
        return str(self.cli("getinfo")["identity_pubkey"])

    def connect(self, other: "Lnd") -> None:
        """Tried again when it is broken off, as by an attempt that one of the two was already making."""

        def is_connected() -> bool:
            try:
                self.cli("connect", f"{other.pubkey()}@127.0.0.1:{other.peer_port}")
            except CliError as error:
                return "already connected" in str(error)
            return True

        wait_for(f"{self.name} to reach {other.name}", is_connected)

    def open_channel(self, other: "Lnd", *options: str) -> None:
        """Tried again while lnd refuses, as until it knows of a connection that the other made."""
        command = ("openchannel", f"--node_key={other.pubkey()}", "--sat_per_vbyte=2", *options)
        wait_for(f"{self.name} to open a channel", lambda: self.try_to(*command))

    def bake(self, name: str, permissions: list[str]) -> Path:
        file = self.folder / f"{name}.macaroon"
        self.cli("bakemacaroon", f"--save_to={file}", *permissions)
        return file

    def pay(self, request: str, *options: str) -> dict[str, Any]:
        """lnd's own account of the payment, when it has ended. Raises CliError."""
        lines = self.cli("payinvoice", "--force", "--json", f"--timeout={20 * PATIENCE}s", *options, request)
        return dict(lines if isinstance(lines, dict) else json.loads(str(lines).strip().splitlines()[-1]))

    def settings(self) -> dict[str, str]:
        """What a shop is told to be paid, and to pay out, through this node."""
        return {
            "LND_HOST": self.host,
            "LND_TLS_CERT": str(self.certificate),
            "LND_MACAROON": str(self.bake("shop", RECEIVE)),
            "LND_PAYOUT_MACAROON": str(self.bake("payouts", PAY_OUT)),
        }


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def _values(number: int, message: bytes) -> Iterator[bytes]:
    """Those of one field, in a message whose fields are all short bytes."""
    while message:
        key, length = message[0], message[1]
        if key == number << 3 | 2:
            yield message[2 : 2 + length]
        message = message[2 + length :]


class LightningPair:
    """`shop` and `payer`; half of each of their two channels belongs to each, so money flows both ways at once."""

    def __init__(self, folder: Path, node: Node, *, password: str = "") -> None:
        """The password is that of the shop's wallet."""
        self.node = node
        self.shop, self.payer = Lnd("shop", folder / "shop", node, password=password), Lnd("payer", folder / "payer", node)

    def start(self) -> None:
        for lnd in (self.shop, self.payer):
            lnd.folder.mkdir(parents=True, exist_ok=True)
            lnd.start(wait=False)
        time.sleep(2)  # a new wallet costs lnd seconds of scrypt
        self._each("following the chain", lambda lnd: lnd.try_to("getinfo").get("synced_to_chain"))
        for lnd in (self.shop, self.payer):
            self.node.pay(lnd.cli("newaddress", "p2wkh")["address"], "2")
        self.node.mine()
        self._each("funded", lambda lnd: int(lnd.try_to("walletbalance").get("confirmed_balance", 0)))
        self.connect()
        self._each("following the chain", lambda lnd: lnd.try_to("getinfo").get("synced_to_chain"))
        for lnd, other in ((self.payer, self.shop), (self.shop, self.payer)):
            lnd.open_channel(other, "--local_amt=16000000", "--push_amt=8000000")
        self.node.mine(6)
        self.wait_until_usable()

    def connect(self) -> None:
        self.payer.connect(self.shop)

    def wait_until_usable(self) -> None:
        """“active” comes a moment before payments find the channel: ask for a route as well."""
        keys = {self.shop: self.payer.pubkey(), self.payer: self.shop.pubkey()}

        def usable(lnd: Lnd) -> object:
            channels = lnd.try_to("listchannels", "--active_only").get("channels", [])
            return len(channels) == 2 and lnd.try_to("queryroutes", keys[lnd], "7000000")

        self._each("with usable channels", usable)
        self._each("following the chain", lambda lnd: lnd.try_to("getinfo").get("synced_to_chain"))

    def stop(self) -> None:
        for lnd in (self.payer, self.shop):
            lnd.stop()

    def _each(self, what: str, look: Callable[[Lnd], object]) -> None:
        for lnd in (self.shop, self.payer):
            wait_for(f"{lnd.name} {what}", lambda lnd=lnd: look(lnd), seconds=90)  # type: ignore[misc]
