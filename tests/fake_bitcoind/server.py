"""The node as the shop meets it: HTTP, a login, and the ways in which it can fail."""

import base64
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from bitcoin.core import CTransaction

from tests.fake_bitcoind.chain import GENESIS, Block, Chain, Dialect, RpcError, signed, spends, unsigned
from tests.fake_bitcoind.methods import Node
from tests.fake_bitcoind.wallet_methods import WalletMethods
from tests.fake_bitcoind.wallets import Wallet
from tests.running import free_port

PLAIN = {
    "401": (401, "text/html; charset=ISO-8859-1", b""),
    "403": (403, "text/html; charset=ISO-8859-1", b""),
    "503": (503, "text/plain", b"Work queue depth exceeded"),
    "page": (200, "text/html", b"<html>Welcome to nginx!</html>"),
    "half": (200, "application/json", b'{"result": {"chain": '),
    "list": (200, "application/json", b"[]"),
    "other id": (200, "application/json", b'{"result": {}, "error": null, "id": "another"}'),
    "no result": (200, "application/json", b'{"error": null, "id": 1}'),
}
FOREIGN = bytes([0, 20, *range(20)])
"""A script of nobody's."""


OF_WALLETS = {name for name in vars(WalletMethods) if name.islower() and "_" not in name}
OF_NODE = {name for name in vars(Node) if name.islower() and "_" not in name} - {"block", "shape"}


class FakeBitcoind:
    """A chain of 150 blocks and the wallet `buyers`, which has mined them all. `node` and `chain` may be moved without asking by RPC."""

    def __init__(self, *, litecoin: bool = False, seed: str = "") -> None:
        self.port = free_port()
        self.user, self.password = "shop", "100%25 pass:word"
        self.chain = Chain("rltc" if litecoin else "bcrt", seed)
        self.dialect = Dialect(is_old=litecoin, subversion="/LitecoinCore:0.21.4/" if litecoin else "/Satoshi:29.4.3/")
        self.node = Node(self.chain, self.dialect)
        self.fault: str | int | Callable[[str], str | int] = ""
        """Instead of an answer: a name in PLAIN, `hang`, `drip`, `drop`, or the code of an RPC error."""
        self.asked: list[tuple[str, str, list[Any]]] = []
        """(wallet, method, parameters)."""
        self.connections = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.node.createwallet("buyers")
        self.buyers = WalletMethods(self.node, self.node.wallets["buyers"])
        script = self.buyers.wallet.new_script("", "bech32")
        for number in range(1, 151):
            self.chain.mine(script, at=GENESIS + 600 * number)

    # --- what buyers and miners do ---

    def mine(self, count: int = 1, *, at: int | None = None) -> Block:
        """The last block. All that waits is in the first."""
        script = self.buyers.wallet.new_script("", "bech32")
        for _ in range(count):
            block = self.chain.mine(script, at=at)
        return block

    def mine_without(self, *transactions: CTransaction) -> Block:
        """A block of these transactions, and nothing that waits."""
        return self.chain.mine(FOREIGN, transactions)

    def take_back(self, count: int = 1) -> None:
        self.chain.invalidate(self.chain.active[-count].hash)

    def pay(self, address: str, base_units: int) -> str:
        """The transaction's id."""
        return self.buyers.sendtoaddress(address, str(Decimal(base_units).scaleb(-8)))

    def spend(self, outputs: dict[str, int], *, instead_of: str = "", fee: int = 5000) -> CTransaction:
        """A signed transaction of the buyers, of a coin that is still free, or of the first one that another spends. Not yet sent."""
        if instead_of:
            coin = spends(self.chain.transactions[instead_of])[0]
        else:
            coin = next(coin for coin, depth in self.buyers.wallet.unspent() if depth)
        amount = self.chain.transactions[coin[0]].vout[coin[1]].nValue
        paid = [(self.node.script_of(address), value) for address, value in outputs.items()]
        change = (self.buyers.wallet.change_script(), amount - sum(outputs.values()) - fee)
        return signed(unsigned([coin], [*paid, change]), [0])

    def replace(self, txid: str, outputs: dict[str, int], *, fee: int = 50_000) -> str:
        """By a transaction with a higher fee."""
        return self.chain.submit(self.spend(outputs, instead_of=txid, fee=fee))

    def wallet(self, name: str) -> Wallet:
        return self.node.wallets[name]

    def methods(self) -> list[str]:
        return [method for _, method, _ in self.asked]

    # --- the server ---

    def start(self) -> None:
        """Its wallets are loaded only if they were made so."""
        self._stopping.clear()
        for wallet in self.node.wallets.values():
            wallet.is_loaded, wallet.locked = wallet.load_on_startup, set()

        class Handler(_Handler):
            fake = self

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens during the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def wait_until_stopped(self, seconds: float) -> bool:
        return self._stopping.wait(seconds)

    def answer(self, wallet: str, method: str, params: list[Any]) -> Any:
        """The `result`. Raises RpcError."""
        with self._lock:
            if method in OF_WALLETS:
                if wallet not in self.node.wallets or not self.node.wallets[wallet].is_loaded:
                    raise RpcError(-18, "Requested wallet does not exist or is not loaded")
                return getattr(WalletMethods(self.node, self.node.wallets[wallet]), method)(*params)
            if method not in OF_NODE:
                raise RpcError(-32601, "Method not found")
            return getattr(self.node, method)(*params)


def dump(answer: Any) -> bytes:
    """Amounts are written as bitcoind does, with eight digits and without quotes."""
    text = json.dumps(answer, default=lambda amount: f"@{amount:.8f}@")
    return re.sub(r'"@(-?[\d.]+)@"', r"\1", text).encode()


class _Handler(BaseHTTPRequestHandler):
    fake: FakeBitcoind
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go out together

    def setup(self) -> None:
        super().setup()
        self.fake.connections += 1

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])), parse_float=Decimal)
        wallet = unquote(self.path.removeprefix("/wallet/")) if self.path.startswith("/wallet/") else ""
        method = question["method"]
        self.fake.asked.append((wallet, method, question["params"]))
        fault = self.fake.fault(method) if callable(self.fake.fault) else self.fake.fault
        if fault == "hang":
            self.fake.wait_until_stopped(60)
            self.close_connection = True
        elif fault == "drip":
            self._drip()
        elif fault == "drop":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif isinstance(fault, str) and fault:
            self._send(*PLAIN[fault])
        elif self.headers["Authorization"] != _basic(self.fake.user, self.fake.password):
            self._send(*PLAIN["401"])
        else:
            self._answer(question, wallet, fault)

    def _answer(self, question: dict[str, Any], wallet: str, fault: str | int) -> None:
        try:
            if fault:
                raise RpcError(int(fault), "Loading block index…" if fault == -28 else f"error {fault}")
            result = self.fake.answer(wallet, question["method"], question["params"])
            status, answer = 200, {"result": result, "error": None, "id": question["id"]}
        except RpcError as error:
            status = 404 if error.code == -32601 else 500
            answer = {"result": None, "error": {"code": error.code, "message": error.message}, "id": question["id"]}
        self._send(status, "application/json", dump(answer) + b"\n")

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(600):
            self.wfile.write(b" ")
            self.wfile.flush()
            if self.fake.wait_until_stopped(0.1):
                break
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
