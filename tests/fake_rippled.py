"""An XRP Ledger of our own behind rippled's JSON-RPC: real HTTP on 127.0.0.1, no consensus, no signatures.

It answers `server_info`, `account_info`, `ledger` and `account_tx` in API version 1 and 2 as rippled 2 does: what is out of its ledgers'
range is cut off in version 1 and refused in version 2, pages end in a marker, and only payments that succeeded tell what they delivered.
"""

import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.running import free_port

SHOP, BUYER = "rh5tgDURCVSG9ggE2oS6rx8wptFGSghAnX", "rJ1HdT1BfUAnjpENgEJAkudWWawXxLXoJA"
ISSUER, ELSEWHERE = "rK7Ngc2prCETti8VR7Kk31Kf4omtbZ4pdb", "rf9vpgn59Nn9bUagTJJaB5ajpaTuoKBZ5B"
"""Of accounts whose keys nobody has."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
PARTIAL = 0x0002_0000
"""tfPartialPayment."""
REQUIRE_TAG, DISALLOW_XRP, DEPOSIT_AUTH = 0x0002_0000, 0x0008_0000, 0x0100_0000
"""Flags of an account."""

ERRORS = {
    "actMalformed": (35, "Account malformed."),
    "actNotFound": (19, "Account not found."),
    "amendmentBlocked": (14, "Amendment blocked, need upgrade."),
    "internal": (73, "Internal error."),
    "invalidLgrRange": (79, "Ledger range is invalid."),
    "lgrIdxMalformed": (58, "Ledger index malformed."),
    "lgrIdxsInvalid": (57, "Ledger indexes invalid."),
    "lgrNotFound": (21, "ledgerNotFound"),
    "noClosed": (15, "Closed ledger is unavailable."),
    "noCurrent": (16, "Current ledger is unavailable."),
    "noNetwork": (17, "Not synced to the network."),
    "noPermission": (6, "You don't have permission for this command."),
    "notSynced": (18, "Not synced to the network."),
    "slowDown": (10, "You are placing too much load on the server."),
    "tooBusy": (9, "The server is too busy to help you now."),
    "unknownCmd": (32, "Unknown method."),
}


class RpcError(Exception):
    pass


@dataclass
class Transaction:
    hash: str
    fields: dict[str, Any]
    """As signed, with `Amount`."""
    ledger: int
    seq: int
    result: str
    delivered: Any
    """None: the server says nothing of it."""
    validated: bool
    touches: str


class FakeRippled:
    """History of 200 ledgers, four seconds apart; `close_ledger` makes the next. The shop's account exists, with RequireDest set."""

    def __init__(self, *, first: int = 801, last: int = 1000) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.first = first
        now = datetime.now(UTC).replace(microsecond=0)
        self.closed = {index: now - timedelta(seconds=4 * (last - index)) for index in range(first, last + 1)}
        self.accounts = {SHOP: REQUIRE_TAG, BUYER: 0}
        self.transactions: list[Transaction] = []
        self.network_id: int | None = 0
        self.server_state: str | None = "full"
        self.amendment_blocked = False
        self.age = 3
        self.most = 400
        """Entries of a page."""
        self.speaks: int | None = None
        """Answers in this API version, also if another is asked for."""
        self.fault: str | Callable[[str], str] = ""
        """Instead of an answer: one of ERRORS, or `hang`, `drip`, `503`, `403`, `404`, `garbage`, `list`, `nothing`, `old`."""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._sequence = itertools.count(1)
        self._stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    # --- the ledger ---

    @property
    def last(self) -> int:
        return max(self.closed)

    def close_ledger(self, count: int = 1) -> int:
        """The index of the last."""
        for _ in range(count):
            now = datetime.now(UTC).replace(microsecond=0)
            self.closed[self.last + 1] = max(now, self.closed[self.last] + timedelta(seconds=1))
        return self.last

    def pay(
        self,
        destination: str,
        amount: Any,
        *,
        tag: int | None = None,
        delivered: Any = "as asked",
        flags: int = 0,
        result: str = "tesSUCCESS",
        validated: bool = True,
        sender: str = BUYER,
        kind: str = "Payment",
        touches: str = "",
        close: bool = True,
    ) -> str:
        """The hash. Drops are an int, other currencies an object. It lies in the next ledger, which closes at once if `close`.

        `touches`: a third account whose history it belongs to, as one whose offer it takes.
        """
        written = str(amount) if isinstance(amount, int) else amount
        fields = {"TransactionType": kind, "Account": sender, "Destination": destination, "Amount": written, "Fee": "12", "Flags": flags}
        if tag is not None:
            fields["DestinationTag"] = tag
        number = next(self._sequence)
        told = written if delivered == "as asked" else str(delivered) if isinstance(delivered, int) else delivered
        name = hashlib.sha256(f"transaction {number}".encode()).hexdigest().upper()
        self.transactions.append(Transaction(name, fields, self.last + 1, number, result, told, validated, touches))
        if close:
            self.close_ledger()
        return name

    # --- the server ---

    def start(self) -> None:
        self._stopping.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens during the block; its ledgers close all the same."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def wait_until_stopped(self, seconds: float) -> bool:
        return self._stopping.wait(seconds)

    def methods(self) -> list[str]:
        """What was asked so far, in order."""
        return [method for method, _ in self.asked]

    # --- the answers ---

    def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        version = self.speaks or int(params.get("api_version", 1))
        known = {
            "server_info": lambda: self._server_info(),
            "account_info": lambda: self._account_info(params),
            "ledger": lambda: self._ledger(params),
            "account_tx": lambda: self._account_tx(params, version),
        }
        if method not in known:
            raise RpcError("unknownCmd")
        return known[method]()

    def _server_info(self) -> dict[str, Any]:
        info: dict[str, Any] = {
            "build_version": "2.4.0",
            "complete_ledgers": f"{self.first}-{self.last}" if self.closed else "empty",
            "load_factor": 1,
            "peers": 21,
            "time": "2026-Nov-24 12:00:00.000000 UTC",
            "validated_ledger": {
                "age": self.age,
                "base_fee_xrp": 0.00001,
                "hash": _ledger_hash(self.last),
                "reserve_base_xrp": 1,
                "reserve_inc_xrp": 0.2,
                "seq": self.last,
            },
            "validation_quorum": 28,
        }
        if self.network_id is not None:
            info["network_id"] = self.network_id
        if self.server_state is not None:
            info["server_state"] = self.server_state
        if self.server_state in ("disconnected", "connected"):
            info["complete_ledgers"] = "empty"
            info["closed_ledger"] = info.pop("validated_ledger")
        if self.amendment_blocked:
            info["amendment_blocked"] = True
        return {"info": info}

    def _account_info(self, params: dict[str, Any]) -> dict[str, Any]:
        account = self._checked_account(params)
        if account not in self.accounts:
            raise RpcError("actNotFound")
        data = {"Account": account, "Balance": "25000000", "Flags": self.accounts[account], "LedgerEntryType": "AccountRoot", "Sequence": 7}
        return {"account_data": data, "ledger_index": self.last, "ledger_hash": _ledger_hash(self.last), "validated": True}

    def _ledger(self, params: dict[str, Any]) -> dict[str, Any]:
        index = self.last if params.get("ledger_index") == "validated" else params["ledger_index"]
        if not self.first <= index <= self.last:
            raise RpcError("lgrNotFound")
        header = {
            "close_time": _seconds(self.closed[index]),
            "close_time_iso": _iso(self.closed[index]),
            "ledger_index": index,
            "closed": True,
        }
        return {"ledger": header, "ledger_hash": _ledger_hash(index), "ledger_index": index, "validated": True}

    def _account_tx(self, params: dict[str, Any], version: int) -> dict[str, Any]:
        account = self._checked_account(params)
        least, most = self._range(params, version)
        from_marker = (params["marker"]["ledger"], params["marker"]["seq"]) if "marker" in params else (least, 0)
        found = [
            each
            for each in sorted(self.transactions, key=lambda each: (each.ledger, each.seq))
            if account in (each.fields["Account"], each.fields.get("Destination"), each.touches)
            and least <= each.ledger <= most
            and (each.ledger, each.seq) >= from_marker
        ]
        assert params.get("forward"), "This ledger is read forwards only."
        limit = max(min(params.get("limit", 200), self.most), 1)
        page, rest = found[:limit], found[limit:]
        answer = {
            "account": account,
            "ledger_index_min": least,
            "ledger_index_max": most,
            "limit": limit,
            "transactions": [self._entry(each, version) for each in page],
            "validated": True,
        }
        if rest:
            answer["marker"] = {"ledger": rest[0].ledger, "seq": rest[0].seq}
        return answer

    def _range(self, params: dict[str, Any], version: int) -> tuple[int, int]:
        least, most = params.get("ledger_index_min", -1), params.get("ledger_index_max", -1)
        if version > 1 and ((most != -1 and most > self.last) or (least > 0 and least < self.first)):
            raise RpcError("lgrIdxMalformed")
        least = max(least, self.first)
        most = self.last if most == -1 else min(most, self.last)
        if least > most:
            raise RpcError("invalidLgrRange" if version > 1 else "lgrIdxsInvalid")
        return least, most

    def _entry(self, each: Transaction, version: int) -> dict[str, Any]:
        meta: dict[str, Any] = {"AffectedNodes": [], "TransactionIndex": each.seq, "TransactionResult": each.result}
        if each.fields["TransactionType"] in ("Payment", "AccountDelete") and each.result == "tesSUCCESS" and each.delivered is not None:
            meta["delivered_amount"] = each.delivered
            if each.fields["Flags"] & PARTIAL:
                meta["DeliveredAmount"] = each.delivered
        closed = self.closed[each.ledger]
        written = {**each.fields, "date": _seconds(closed), "ledger_index": each.ledger, "DeliverMax": each.fields["Amount"]}
        if version == 1:
            return {"meta": meta, "tx": {**written, "hash": each.hash, "inLedger": each.ledger}, "validated": each.validated}
        del written["Amount"]
        return {
            "close_time_iso": _iso(closed),
            "hash": each.hash,
            "ledger_hash": _ledger_hash(each.ledger),
            "ledger_index": each.ledger,
            "meta": meta,
            "tx_json": written,
            "validated": each.validated,
        }

    def _checked_account(self, params: dict[str, Any]) -> str:
        account = str(params["account"])
        if not account.startswith("r") or len(account) < 25:
            raise RpcError("actMalformed")
        return account


def _ledger_hash(index: int) -> str:
    return hashlib.sha256(f"ledger {index}".encode()).hexdigest().upper()


def _seconds(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _handler(fake: FakeRippled) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body go out together

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            method, params = question["method"], question["params"][0]
            fake.asked.append((method, params))
            fault = fake.fault(method) if callable(fake.fault) else fake.fault
            if fault == "hang":
                fake.wait_until_stopped(60)
                self.close_connection = True
            elif fault == "drip":
                self._drip()
            elif fault in PLAIN:
                self._send(*PLAIN[fault])
            else:
                self._send(200, json.dumps({"result": self._result(method, params, fault)}).encode(), "application/json")

        def _result(self, method: str, params: dict[str, Any], fault: str) -> dict[str, Any]:
            try:
                if fault:
                    raise RpcError(fault)
                return {**fake.answer(method, params), "status": "success"}
            except RpcError as error:
                code, message = ERRORS[str(error)]
                request = {**params, "command": method}
                return {"error": str(error), "error_code": code, "error_message": message, "request": request, "status": "error"}

        def _send(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _drip(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(600):
                self.wfile.write(b" ")
                self.wfile.flush()
                if fake.wait_until_stopped(0.1):
                    break
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


PLAIN = {
    "503": (503, b"Server is overloaded"),
    "403": (403, b"Forbidden"),
    "404": (404, b"<html>Not found</html>"),
    "garbage": (200, b'{"result": {"info": '),
    "list": (200, b"[]"),
    "nothing": (200, b"{}"),
    "old": (400, b"invalid_API_version"),
}
