"""Refund all of an order: `API_KEY=ck_… python refund.py ORDER DESTINATION`, with a Bitcoin address of the buyer."""

import sys
import time
from uuid import uuid4

from client import KEY, SHOP, call

order_id, destination = sys.argv[1:]
invoice = call("GET", "/invoices", headers=KEY, order=order_id)["data"][0]
draft = {"invoiceId": invoice["id"], "kind": "refund", "network": "BTC", "destination": destination, "reason": "Sent back by the buyer"}
payout = call("POST", "/payouts", draft, {**KEY, "Idempotency-Key": str(uuid4())})["data"]
print(f"{payout['amount']} BTC: approve it at {SHOP}/admin/payments/payout/{payout['id']}/change/", flush=True)

while payout["status"] not in ("sent", "failed", "withdrawn"):
    time.sleep(2)
    payout = next(row for row in call("GET", "/payouts", headers=KEY, order=order_id)["data"] if row["id"] == payout["id"])
print(payout["status"], payout["reference"])
