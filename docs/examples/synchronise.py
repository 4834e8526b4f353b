"""Keep a copy of the catalogue in a file, and raise the price of what sells out: `API_KEY=ck_… python synchronise.py catalogue.json`."""

import json
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from client import KEY, call

file = Path(sys.argv[1])
copy = json.loads(file.read_text()) if file.exists() else {}
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

scarce = [product for product in copy.values() if 0 < product["stock"] <= 3][:500]
rows = [{"id": product["id"], "price": str((Decimal(product["price"]) * Decimal("1.05")).quantize(Decimal("0.01")))} for product in scarce]
if rows:
    changed = call("PATCH", "/products", {"products": rows}, KEY)["data"]
    print(f"{len(changed)} prices changed")
