"""What one turn of a follower costs with few and with many open invoices, on a real bitcoind: `python -m benchmarks.followers [MANY]`.

The sweep that stands behind it is counted by itself, and so is Lightning's slow round, which asks lnd about each open invoice.
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
from tests.servers import Missing
from tests.stack.bitcoind import Node
from tests.stack.lightning import LightningPair

FEW, MANY = 100, 100_000
TURNS = 20
PAID = 30
"""Payments that are not final yet: each turn asks for them, however many invoices are open."""
MOST = 1.2
LIGHTNING_FEW, LIGHTNING_MANY = 100, 1_000
ROUNDS = 5


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    folder = Path(tempfile.mkdtemp(prefix="cryptons-bench-"))
    node = Node(folder / "bitcoind")
    lnd = None
    try:
        node.start()
        node.make_wallets()
        os.environ |= node.settings() | {"RATES": "fixed:BTC=65000.00", "CELERY_BROKER_URL": "memory://"}
        lnd = start_lnd(folder, node)
        prepare(folder / "data")
        measure_turns(node, many)
        if lnd is not None:
            measure_rounds()
    except Missing as error:
        print(f"Not measured: {error}")
    finally:
        if lnd is not None:
            lnd.stop()
        if node.process is not None:
            node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def start_lnd(folder: Path, node: Node) -> LightningPair | None:
    """With channels: without any, the shop offers no Lightning."""
    try:
        pair = LightningPair(folder, node)
    except Missing as error:
        print(f"Without Lightning: {error}")
        return None
    pair.start()
    os.environ |= pair.shop.settings()
    return pair


def measure_turns(node: Node, many: int) -> None:
    from shop.models import new_order_number
    from tests.stack.filling import make_product, open_invoices, place_orders, real_offers

    numbers = [new_order_number() for _ in range(PAID)]
    for each in place_orders(make_product("thing", PAID), real_offers(numbers), numbers):
        node.pay(each["address"], each["amount"])
    node.mine()
    open_invoices(FEW - PAID)
    few = cost_of_a_turn(), cost_of_a_sweep()
    open_invoices(many - FEW, begin=FEW)
    show("open invoices", (FEW, many), {"a turn": (few[0], cost_of_a_turn()), "a sweep": (few[1], cost_of_a_sweep())})


def measure_rounds() -> None:
    """Of invoices that lnd knows: what it does not know is closed by the first round."""
    costs = []
    for count in (LIGHTNING_FEW, LIGHTNING_MANY - LIGHTNING_FEW):
        open_over_lightning(count)
        costs.append(cost_of_a_round())
    show("over Lightning", (LIGHTNING_FEW, LIGHTNING_MANY), {"a slow round": (costs[0], costs[1])})
    print(f"{costs[1] / LIGHTNING_MANY:.2f} ms for each open invoice, beside the turns and under a lease of its own.", flush=True)


def open_over_lightning(count: int) -> None:
    from django.utils import timezone

    from shop.models import new_order_number
    from tests.stack.filling import real_offers, write_invoices

    numbers = [new_order_number() for _ in range(count)]
    write_invoices(list(zip(numbers, real_offers(numbers, "BTC-LN"), strict=True)), timezone.now())


def show(what: str, counts: tuple[int, int], costs: dict[str, tuple[float, float]]) -> None:
    print(f"{what:16}{counts[0]:>12,}{counts[1]:>12,}   ratio")
    for name, (few, many) in costs.items():
        note = f" (more than {MOST})" if name == "a turn" and many / few > MOST else ""
        print(f"{name:16}{few:9.2f} ms{many:9.2f} ms   {many / few:4.2f} ×{note}", flush=True)


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


def cost_of_a_round() -> float:
    from django.utils import timezone

    from payments.lightning_round import take_round

    return median(lambda: take_round(at=timezone.now()), times=ROUNDS)


def median(act: Callable[[], object], times: int = TURNS) -> float:
    """Milliseconds."""
    return statistics.median(milliseconds(act) for _ in range(times))


if __name__ == "__main__":
    main()
