"""Receive webhooks: `API_KEY=ck_… python receive.py PORT`. Prints each event once, with the Python standard library alone."""

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from client import KEY, call

port = int(sys.argv[1])
endpoint = {"url": f"http://127.0.0.1:{port}/", "events": ["order.placed", "order.paid", "order.shipped"], "description": "receive.py"}
secret = base64.b64decode(call("POST", "/webhook-endpoints", endpoint, KEY)["data"]["secret"].removeprefix("whsec_"))
had: set[str] = set()  # yours remembers in its database what it had


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        sent_at, webhook_id = self.headers["webhook-timestamp"], self.headers["webhook-id"]
        digest = hmac.digest(secret, f"{webhook_id}.{sent_at}.".encode() + body, hashlib.sha256)
        expected = f"v1,{base64.b64encode(digest).decode()}"
        is_ours = any(hmac.compare_digest(expected, given) for given in self.headers["webhook-signature"].split())
        if not is_ours or abs(time.time() - int(sent_at)) > 300:
            self.send_error(401)
            return
        if webhook_id not in had:
            event = json.loads(body)
            print(event["type"], event["data"]["id"], flush=True)
            had.add(webhook_id)
        self.send_response(204)
        self.end_headers()


print(f"Waiting for events at port {port}", flush=True)
HTTPServer(("127.0.0.1", port), Receiver).serve_forever()
