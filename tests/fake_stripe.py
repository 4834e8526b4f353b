"""A Stripe of our own: real HTTP on 127.0.0.1, forms in, JSON out, as its API of version 2024-06-20 speaks.

It keeps Checkout Sessions, PaymentIntents with one charge each, refunds, disputes and events; the same Idempotency-Key has the same answer,
and with other parameters it is an error. What a buyer, a bank or the merchant does in the dashboard are methods.
"""

import hashlib
import hmac
import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY, TEST_KEY, WEBHOOK_SECRET = "sk_live_ofnobody", "sk_test_ofnobody", "whsec_ofnobody"
Row = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, "type": "invalid_request_error"}


class FakeStripe:
    def __init__(self) -> None:
        self.sessions: dict[str, Row] = {}
        self.intents: dict[str, Row] = {}
        self.refunds: dict[str, Row] = {}
        self.disputes: dict[str, Row] = {}
        self.events: list[Row] = []
        """Oldest first."""
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.kept: dict[str, tuple[str, tuple[int, Row]]] = {}
        """The answer to each Idempotency-Key, with what was asked."""
        self.troubles: list[int] = []
        """Statuses of the next answers; a negative one is answered after the request was carried out."""
        self.hides_fees = False
        """Whether the key may not read balance transactions."""
        self.rate_percent = 100
        """What a unit of the charge's currency is worth in that of the account."""
        self.now = int(time.time())
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    # --- What others do ---

    def pay(self, session_id: str, *, amount: int | None = None, currency: str | None = None) -> str:
        """Let a buyer pay on the session's page. Returns the PaymentIntent."""
        with self.lock:
            session = self.sessions[session_id]
            assert session["status"] == "open", session["status"]
            intent_id, charge_id = self._name("pi"), self._name("ch")
            charge = {
                "id": charge_id,
                "object": "charge",
                "amount": session["amount_total"] if amount is None else amount,
                "balance_transaction": f"txn_{charge_id}",
                "amount_captured": session["amount_total"] if amount is None else amount,
                "captured": True,
                "created": self.now,
                "currency": currency or session["currency"],
                "disputed": False,
                "payment_intent": intent_id,
                "status": "succeeded",
            }
            self.intents[intent_id] = {"id": intent_id, "object": "payment_intent", "status": "succeeded", "latest_charge": charge}
            session |= {"status": "complete", "payment_status": "paid", "payment_intent": intent_id}
            self.tell("charge.succeeded", charge)
            self.tell("checkout.session.completed", session)
            return intent_id

    def refund_in_dashboard(self, intent_id: str, amount: int) -> Row:
        return self._refund({"payment_intent": intent_id, "amount": str(amount)})

    def fail_refund(self, refund_id: str) -> None:
        """Let the card refuse a refund that was sent."""
        with self.lock:
            self.refunds[refund_id] |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
            self.tell("charge.refund.updated", self.refunds[refund_id])

    def dispute(self, intent_id: str, amount: int) -> str:
        with self.lock:
            charge = self.intents[intent_id]["latest_charge"]
            charge["disputed"] = True
            row = {
                "id": self._name("dp"),
                "object": "dispute",
                "amount": amount,
                "currency": charge["currency"],
                "payment_intent": intent_id,
                "balance_transactions": [
                    {"object": "balance_transaction", "amount": -amount, "currency": charge["currency"], "fee": 1_500}
                ],
                "reason": "fraudulent",
                "status": "needs_response",
                "evidence_details": {"due_by": self.now + 86_400},
            }
            self.disputes[row["id"]] = row
            self.tell("charge.dispute.created", row)
            return str(row["id"])

    def close_dispute(self, dispute_id: str, status: str) -> None:
        with self.lock:
            self.disputes[dispute_id]["status"] = status
            self.tell("charge.dispute.closed", self.disputes[dispute_id])

    def tell(self, kind: str, thing: Row) -> Row:
        event = {"id": self._name("evt"), "object": "event", "type": kind, "created": self.now, "data": {"object": dict(thing)}}
        self.events.append(event)
        return event

    def _name(self, kind: str) -> str:
        return f"{kind}_{next(self.numbers):06d}"

    # --- What the shop asks ---

    def answer(self, method: str, path: str, asked: dict[str, Any]) -> Row:
        match [method, *path.removeprefix("/v1/").split("/")]:
            case ["POST", "checkout", "sessions"]:
                return self._open(asked)
            case ["GET", "checkout", "sessions"]:
                return _page(list(reversed(self._sessions(asked))), asked, lambda row: self._expanded(row, asked, "data."))
            case ["GET", "checkout", "sessions", session_id]:
                return self._expanded(_found(self.sessions, session_id), asked, "")
            case ["POST", "checkout", "sessions", session_id, "expire"]:
                session = _found(self.sessions, session_id)
                if session["status"] != "open":
                    raise Refused(400, "", "Only Checkout Sessions with a status of open can be expired.")
                session["status"] = "expired"
                return session
            case ["POST", "refunds"]:
                return self._refund(asked)
            case ["GET", "refunds"]:
                return _page([row for row in self.refunds.values() if row["payment_intent"] == asked["payment_intent"]], asked)
            case ["GET", "refunds", refund_id]:
                return _found(self.refunds, refund_id)
            case ["GET", "balance_transactions", name]:
                return self._booking(name)
            case ["GET", "disputes"]:
                return _page([row for row in self.disputes.values() if row["payment_intent"] == asked["payment_intent"]], asked)
            case ["GET", "events"]:
                types = asked.get("types")
                return _page([event for event in reversed(self.events) if not types or event["type"] in types.values()], asked)
        raise Refused(404, "", f"Unrecognized request URL ({method}: {path}).")

    def _booking(self, name: str) -> Row:
        """Stripe takes 2.9 % and 30 cents, in the currency of the account."""
        if self.hides_fees:
            raise Refused(403, "", "The provided key does not have the required permissions for this endpoint.")
        charge = next(row["latest_charge"] for row in self.intents.values() if f"txn_{row['latest_charge']['id']}" == name)
        amount = charge["amount"] * self.rate_percent // 100
        currency = charge["currency"] if self.rate_percent == 100 else "eur"
        return {
            "id": name,
            "object": "balance_transaction",
            "amount": amount,
            "currency": currency,
            "fee": amount * 29 // 1000 + 30,
            "type": "charge",
        }

    def _open(self, asked: dict[str, Any]) -> Row:
        item = asked["line_items"]["0"]
        amount, ends = int(item["price_data"]["unit_amount"]) * int(item["quantity"]), int(asked["expires_at"])
        if amount < 50:
            raise Refused(400, "amount_too_small", "The Checkout Session's total amount due must add up to at least $0.50 usd")
        if not time.time() + 1800 <= ends <= time.time() + 86_400:
            raise Refused(400, "", "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.")
        name = self._name("cs_live")
        self.sessions[name] = {
            "id": name,
            "object": "checkout.session",
            "amount_total": amount,
            "cancel_url": asked["cancel_url"],
            "client_reference_id": asked["client_reference_id"],
            "created": self.now,
            "currency": item["price_data"]["currency"],
            "expires_at": ends,
            "metadata": asked.get("metadata", {}),
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "success_url": asked["success_url"],
            "url": f"{self.url}/c/pay/{name}#fid",
        }
        return self.sessions[name]

    def _sessions(self, asked: dict[str, Any]) -> list[Row]:
        created = asked.get("created", {})
        return [
            row
            for row in self.sessions.values()
            if asked.get("payment_intent") in (None, row["payment_intent"])
            and asked.get("status") in (None, row["status"])
            and int(created.get("gte", 0)) <= row["created"] < int(created.get("lt", 10**11))
        ]

    def _expanded(self, session: Row, asked: dict[str, Any], prefix: str) -> Row:
        if f"{prefix}payment_intent.latest_charge.refunds" not in asked.get("expand", {}).values() or not session["payment_intent"]:
            return session
        intent = self.intents[session["payment_intent"]]
        made = [row for row in reversed(self.refunds.values()) if row["payment_intent"] == intent["id"]]
        refunds = {"object": "list", "data": made[:10], "has_more": len(made) > 10}
        return {**session, "payment_intent": {**intent, "latest_charge": {**intent["latest_charge"], "refunds": refunds}}}

    def _refund(self, asked: dict[str, Any]) -> Row:
        with self.lock:
            intent, amount = _found(self.intents, asked["payment_intent"]), int(asked["amount"])
            made = [row for row in self.refunds.values() if row["payment_intent"] == intent["id"] and row["status"] != "failed"]
            done = sum(row["amount"] for row in made)
            if done + amount > intent["latest_charge"]["amount_captured"]:
                raise Refused(400, "charge_already_refunded", f"Charge {intent['latest_charge']['id']} has already been refunded.")
            row = {
                "id": self._name("re"),
                "object": "refund",
                "amount": amount,
                "currency": intent["latest_charge"]["currency"],
                "metadata": asked.get("metadata", {}),
                "payment_intent": intent["id"],
                "status": "succeeded",
            }
            self.refunds[row["id"]] = row
            self.tell("charge.refunded", intent["latest_charge"])
            return row


def sign(body: bytes, at: float, *secrets: str) -> str:
    """Return the header Stripe-Signature, with one `v1` for each secret."""
    seconds = str(int(at))
    made = (hmac.digest(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hex() for secret in secrets)
    return ",".join([f"t={seconds}", *(f"v1={signature}" for signature in made), "v0=0"])


def _found(rows: dict[str, Row], name: str) -> Row:
    if name not in rows:
        raise Refused(404, "resource_missing", f"No such object: '{name}'")
    return rows[name]


def _page(rows: list[Row], asked: dict[str, Any], show: Any = lambda row: row) -> Row:
    """Cut a page out of rows that are listed newest first."""
    names, limit = [row["id"] for row in rows], int(asked.get("limit", 10))
    for cursor in ("ending_before", "starting_after"):
        if asked.get(cursor, names[0] if names else "") not in names and cursor in asked:
            raise Refused(400, "resource_missing", f"No such object: '{asked[cursor]}'")
    if "ending_before" in asked:
        newer = rows[: names.index(asked["ending_before"])]
        return {"object": "list", "data": [show(row) for row in newer[-limit:]], "has_more": len(newer) > limit}
    older = rows[names.index(asked["starting_after"]) + 1 :] if "starting_after" in asked else rows
    return {"object": "list", "data": [show(row) for row in older[:limit]], "has_more": len(older) > limit}


def _nested(text: str) -> dict[str, Any]:
    """Read `a[b][0]=c` as {"a": {"b": {"0": "c"}}}."""
    values: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        inner = values
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return values


def _handler(stripe: FakeStripe) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer("POST", self.rfile.read(int(self.headers["Content-Length"] or 0)).decode())

        def _answer(self, method: str, text: str) -> None:
            with stripe.lock:
                status, content = self._reply(method, urlsplit(self.path).path, text)
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _reply(self, method: str, path: str, text: str) -> tuple[int, Row]:
            trouble = stripe.troubles.pop(0) if stripe.troubles else 0
            if trouble > 0:
                return trouble, {"error": {"message": "trouble"}}
            if self.headers["Authorization"] not in (f"Bearer {KEY}", f"Bearer {TEST_KEY}") or not self.headers["Stripe-Version"]:
                return 401, {"error": {"message": "Invalid API Key provided"}}
            stripe.requests.append((method, path, _nested(text)))
            key = self.headers["Idempotency-Key"] or ""
            if key in stripe.kept and stripe.kept[key][0] != text:
                return 400, {"error": {"type": "idempotency_error", "message": "Keys can only be used with the same parameters."}}
            if key not in stripe.kept:
                answer = self._carried_out(method, path, text)
                if not key:
                    return answer
                stripe.kept[key] = (text, answer)
            return (-trouble, {"error": {"message": "trouble"}}) if trouble else stripe.kept[key][1]

        def _carried_out(self, method: str, path: str, text: str) -> tuple[int, Row]:
            try:
                return 200, stripe.answer(method, path, _nested(text))
            except Refused as refused:
                return refused.status, {"error": refused.error}

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
