"""A server that speaks the part of Sumsub's API that the shop uses, over HTTP, and checks each signature as Sumsub does."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN, SECRET, WEBHOOK_SECRET, LEVEL = "sbx:token", "app secret", "webhook secret", "id-and-liveness"
ONE = re.compile(r"/resources/applicants/-;externalUserId=(.+)/one")


class FakeSumsub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.applicants: dict[str, str] = {}
        """The applicant's id, by the id of the shop's user."""
        self.is_broken = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeSumsub

    def do_GET(self) -> None:
        found = ONE.fullmatch(self.path)
        applicant = self.server.applicants.get(found[1], "") if found else ""
        self._answer(200 if applicant else 404, {"id": applicant}, body=b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        question = json.loads(body)
        if self.path == f"/resources/applicants?levelName={LEVEL}":
            user = question["externalUserId"]
            is_known = user in self.server.applicants
            self.server.applicants.setdefault(user, f"applicant{len(self.server.applicants)}")
            self._answer(409 if is_known else 201, {"id": self.server.applicants[user]}, body=body)
        elif self.path.startswith("/resources/sdkIntegrations/levels/-/websdkLink?lang="):
            self._answer(200, {"url": f"https://in.sumsub.example/websdk/p/{question['userId']}"}, body=body)
        else:
            self._answer(404, {}, body=body)

    def _answer(self, status: int, answer: dict[str, Any], *, body: bytes) -> None:
        sent_at = self.headers.get("X-App-Access-Ts", "0")
        signed = sent_at.encode() + self.command.encode() + self.path.encode() + body
        right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        is_signed = self.headers.get("X-App-Token") == TOKEN and self.headers.get("X-App-Access-Sig") == right
        if not is_signed or abs(time.time() - int(sent_at)) > 60:
            status, answer = 401, {"description": "Request signature mismatch"}
        if self.server.is_broken:
            status, answer = 500, {}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def fake_sumsub() -> Iterator[FakeSumsub]:
    server = FakeSumsub()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use(settings: Any, server: FakeSumsub | None = None) -> None:
    """Set what a shop needs that verifies by Sumsub."""
    settings.VERIFICATION_PROVIDER, settings.SUMSUB_URL = "sumsub", server.url if server else "http://127.0.0.1:1"
    settings.SUMSUB_APP_TOKEN, settings.SUMSUB_SECRET_KEY = TOKEN, SECRET
    settings.SUMSUB_WEBHOOK_SECRET, settings.SUMSUB_LEVEL = WEBHOOK_SECRET, LEVEL


def digest(body: bytes, algorithm: str = "sha256") -> dict[str, str]:
    """Return the headers with which Sumsub signs a webhook."""
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, algorithm).hexdigest()
    return {"X-Payload-Digest": signature, "X-Payload-Digest-Alg": f"HMAC_{algorithm.upper()}_HEX"}


def event(user_id: object, at: str, answer: str = "GREEN", **more: Any) -> bytes:
    """Return the body of `applicantReviewed`. `at`: a time of one day."""
    result = {"reviewAnswer": answer, **more.pop("result", {})}
    message = {
        "applicantId": "applicant0",
        "inspectionId": "inspection0",
        "correlationId": "req-0",
        "externalUserId": str(user_id),
        "levelName": LEVEL,
        "type": "applicantReviewed",
        "reviewResult": result,
        "reviewStatus": "completed",
        "createdAtMs": f"2026-11-27 {at}",
        **more,
    }
    return json.dumps(message).encode()
