"""Watch an order until it is paid: `python watch.py ORDER ACCESS_KEY`."""

import sys
import time

from client import call

order_id, access_key = sys.argv[1:]
last = ""
while last not in ("paid", "overpaid", "expired"):
    order = call("GET", f"/orders/{order_id}", headers={"X-Order-Key": access_key})["data"]
    if order["paymentStatus"] != last:
        last = order["paymentStatus"]
        print(order["orderNumber"], order["status"], last, flush=True)
    time.sleep(2)
