"""Watch an order until it is paid: `python watch.py ORDER ACCESS_KEY`."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from client import SHOP


def follow(order_id: str, access_key: str) -> Iterator[Any]:
    """Yield the order as it is now, and again after each change. A stream that ends is opened again, when the shop allows it."""
    headers = {"X-Order-Key": access_key}
    while True:
        seconds = 3
        try:
            with urlopen(Request(f"{SHOP}/api/orders/{order_id}/stream", headers=headers), timeout=60) as lines:  # noqa: S310
                for line in lines:
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    if name == "id":
                        headers["Last-Event-ID"] = value
                    elif name == "data":
                        yield json.loads(value)["order"]
        except HTTPError as error:
            if error.code not in (429, 503):
                raise
            seconds = int(error.headers.get("Retry-After", 5))
        except OSError as error:
            print(f"The connection broke: {error}", file=sys.stderr)
        time.sleep(seconds)


last = ""
for order in follow(*sys.argv[1:]):
    if order["paymentStatus"] != last:
        last = order["paymentStatus"]
        print(order["orderNumber"], order["status"], last, flush=True)
    if last in ("paid", "overpaid", "expired"):
        break
