"""Sell: find a product, quote it, place an order for a guest, and say how it is paid: `python sell.py WORDS`."""

import sys
from uuid import uuid4

from client import call

ADDRESS = {"name": "Ada Lovelace", "street": "12 Example Road", "city": "London", "postalCode": "N1 1AA", "country": "GB"}

product = call("GET", "/products", search=" ".join(sys.argv[1:]), inStock="true")["data"][0]
items = [{"productId": product["id"], "quantity": 1}]
quote = call("POST", "/checkout/quote", {"items": items, "cryptocurrency": "BTC", "shippingAddress": ADDRESS})["data"]
print(f"{product['name']}: {quote['totalAmount']} {quote['currency']}")

order = {"email": "ada@example.com", "items": items, "cryptocurrency": "BTC", "shippingAddress": ADDRESS}
placed = call("POST", "/orders", order, {"Idempotency-Key": str(uuid4())})["data"]  # send it again with the same key if no answer comes
payment = placed["payment"]
print(f"Pay {payment['amount']} BTC to {payment['address']}, or open {payment['payUrl']}")
print(f"python watch.py {placed['id']} {placed['accessKey']}")

if payment["sandbox"]:  # play money: the shop pays itself
    call("POST", "/sandbox/pay", {"invoiceId": payment["invoiceId"], "play": "exact"})
