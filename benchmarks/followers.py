"""What one turn of a follower costs with few and with many open invoices, on a real bitcoind: `python -m benchmarks.followers [MANY]`.

The sweep that stands behind it, and Lightning's slow round, are counted by themselves.
"""

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.catalogue import milliseconds
from benchmarks.shop_of import prepare
from tests.stack.bitcoind import Node

FEW, MANY = 100, 100_000
TURNS = 20
PAID = 30
"""Payments that are not final yet: each turn asks for them, however many invoices are open."""
MOST = 1.2


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    folder = Path(tempfile.mkdtemp(prefix="cryptons-bench-"))
    node = Node(folder / "bitcoind")
    try:
        node.start()
        node.make_wallets()
        os.environ.update(
            BITCOIN_NETWORK="regtest",
            BITCOIN_RPC_HOST=node.host,
            BITCOIN_RPC_PORT=str(node.port),
            BITCOIN_RPC_USER=node.user,
            BITCOIN_RPC_PASS=node.password,
            BITCOIN_WALLET=node.watching,
            BITCOIN_DESCRIPTOR=node.descriptor(),
            RATES="fixed:BTC=65000.00",
            CELERY_BROKER_URL="memory://",
        )
        prepare(folder / "shop")
        measure(node, many)
    finally:
        if node.process is not None:
            node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(node: Node, many: int) -> None:
    from shop.models import new_order_number
    from tests.stack.filling import make_product, open_invoices, place_orders, real_offers

    numbers = [new_order_number() for _ in range(PAID)]
    for each in place_orders(make_product("thing", PAID), real_offers(numbers), numbers):
        node.pay(each["address"], each["amount"])
    node.mine()
    open_invoices(FEW - PAID)
    few_turn, few_sweep = cost_of_a_turn(), cost_of_a_sweep()
    open_invoices(many - FEW, begin=FEW)
    many_turn, many_sweep = cost_of_a_turn(), cost_of_a_sweep()

    ratio = many_turn / few_turn
    print(f"{'open invoices':16}{FEW:>12,}{many:>12,}   ratio")
    print(f"{'a turn':16}{few_turn:9.2f} ms{many_turn:9.2f} ms   {ratio:4.2f} × {'' if ratio <= MOST else '(too much)'}")
    print(f"{'a sweep':16}{few_sweep:9.2f} ms{many_sweep:9.2f} ms   {many_sweep / few_sweep:4.2f} ×", flush=True)


def cost_of_a_turn() -> float:
    from django.utils import timezone

    from payments.following import follow
    from payments.settlement import settle

    for invoice_id in follow("BTC", at=timezone.now()):  # the news, before it is measured what no news costs
        settle(invoice_id, at=timezone.now())
    return median(lambda: follow("BTC", at=timezone.now()))


def cost_of_a_sweep() -> float:
    from payments.tasks import sweep_invoices

    return median(sweep_invoices)


def median(act: Callable[[], object]) -> float:
    """Milliseconds, of TURNS times."""
    return statistics.median(milliseconds(act) for _ in range(TURNS))


if __name__ == "__main__":
    main()
