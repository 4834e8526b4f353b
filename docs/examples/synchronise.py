"""Keep a copy of the catalogue, and raise a price once when little is left: `API_KEY=ck_… python synchronise.py catalogue.json`."""

import json
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from client import KEY, call

file = Path(sys.argv[1])
copy = json.loads(file.read_text()) if file.exists() else {}
was_scarce = {sku for sku, product in copy.items() if product["stock"] <= 3}
since = {}
if copy:  # from a minute before the last change, so that none is missed
    latest = max(datetime.fromisoformat(product["updatedAt"]) for product in copy.values())
    since = {"updatedSince": (latest - timedelta(minutes=1)).isoformat()}

after: str | None = ""
count = 0
while after is not None:
    page = call("GET", "/products", headers=KEY, unlisted="true", limit=100, after=after, **since)
    copy |= {product["sku"]: product for product in page["data"]}
    after, count = page["meta"]["next"], count + len(page["data"])
file.write_text(json.dumps(copy, indent=1))
print(f"{count} products read")

scarce = [product for sku, product in copy.items() if 0 < product["stock"] <= 3 and sku not in was_scarce][:500]
prices = [Decimal(product["price"]) for product in scarce]
raised = [str((price * Decimal("1.05")).quantize(price)) for price in prices]  # with the decimals of the currency
rows = [{"id": product["id"], "price": price} for product, price in zip(scarce, raised, strict=True)]
if rows:
    changed = call("PATCH", "/products", {"products": rows}, KEY)["data"]
    print(f"{len(changed)} prices changed")
