"""A receiver of webhooks on 127.0.0.1, which answers as a test says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptons.events.types import EVENT_TYPES
from cryptons.events.webhook_models import WebhookEndpoint


@dataclass
class Receiver:
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"thanks"
    drips: threading.Event | None = None
    """Sends no more than the first byte of an answer until this is set."""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """Headers and body of each request, also of those that were refused."""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    @property
    def said(self) -> list[tuple[str, int]]:
        return [(body["type"], body["data"]["seq"]) for body in self.bodies]


@contextmanager
def receiving(**options: Any) -> Iterator[Receiver]:
    receiver = Receiver(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if receiver.drips is not None:
                self.wfile.write(b"H")
                receiver.drips.wait(30)
                self.close_connection = True
                return
            self.send_response(receiver.status)
            for name, value in {**receiver.headers, "content-length": str(len(receiver.answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.drips is not None:
            receiver.drips.set()
        server.shutdown()
        thread.join()
        server.server_close()


def make_endpoint(url: str, events: Any = EVENT_TYPES, **values: Any) -> WebhookEndpoint:
    from cryptons.events.endpoints import add_endpoint

    endpoint = WebhookEndpoint(url=url, events=list(events), **values)
    add_endpoint(endpoint)
    return endpoint
