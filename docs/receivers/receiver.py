"""Print each event of the shop once: `WEBHOOK_SECRET=whsec_… PORT=9000 python receiver.py`, with `standardwebhooks` from PyPI."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
had: set[str] = set()  # yours remembers in its database what it had


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_error(401)
            return
        if self.headers["webhook-id"] not in had:
            print(event["type"], event["data"]["id"], event["data"]["seq"], flush=True)
            had.add(self.headers["webhook-id"])
        self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver).serve_forever()
