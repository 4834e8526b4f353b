"""Measure one poll of a follower with few and with many open invoices, on a real bitcoind: `python -m benchmarks.followers [MANY]`.

Medians of twenty turns each without news, with one payment, and with a block that holds one; every open invoice has a row and an address
of the node's wallet. The verdict on a touched invoice and its sweep are measured separately, and so is Lightning's
slow round, which asks lnd about each open invoice.
"""

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.catalogue import milliseconds
from benchmarks.shop_of import prepare
from cryptons.coins import LIGHTNING
from tests.programs import Missing
from tests.stack.bitcoind import Node
from tests.stack.lightning import LightningPair

if TYPE_CHECKING:
    from shop.models import Product

FEW, MANY = 100, 100_000
TURNS = 20
PAID = 30
"""Payments that are not final yet: each turn reads them, so their number is the same for few and many open invoices."""
FINAL = 10
"""Blocks after which a payment is final and is no longer polled."""
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
    """Start lnd with channels, without which the shop offers no Lightning. Returns None when lnd is not installed."""
    try:
        pair = LightningPair(folder, node)
    except Missing as error:
        print(f"Without Lightning: {error}")
        return None
    pair.start()
    os.environ |= pair.shop.settings()
    return pair


def measure_turns(node: Node, many: int) -> None:
    from tests.stack.filling import make_product, open_invoices

    product = make_product("thing", 2 * (PAID + TURNS))
    counts, costs = [], []
    for count, begin in ((FEW, 0), (many - FEW, FEW)):
        open_invoices(count, begin=begin)
        counts.append(count_open())
        costs.append(costs_of_turns(node, product))
    show("open invoices", counts, costs)


def count_open() -> int:
    from payments.models import Invoice

    return Invoice.objects.filter(status=Invoice.Status.NEW).count()


def costs_of_turns(node: Node, product: "Product") -> dict[str, float]:
    """Return the median milliseconds of each step, always with the same number of unfinished payments and new facts."""
    for _ in range(PAID):
        pay_an_order(node, product)
    mine(node)
    take_turn()
    take_turn()
    quiet = [milliseconds(ask_the_node) for _ in range(TURNS)]
    sweeps = [milliseconds(sweep) for _ in range(TURNS)]
    paid, mined, verdicts = [], [], []
    for _ in range(TURNS):
        pay_an_order(node, product)
        paid.append(milliseconds(poll_one_payment))
        verdicts.append(milliseconds(settle_touched))
        mine(node)
        mined.append(milliseconds(poll_one_payment))
        verdicts.append(milliseconds(settle_touched))
    node.mine(FINAL)
    take_turn()
    times = {"a turn, no news": quiet, "a turn, a payment": paid, "a turn, a block": mined, "a verdict": verdicts, "a sweep": sweeps}
    return {name: statistics.median(measured) for name, measured in times.items()}


def pay_an_order(node: Node, product: "Product") -> None:
    from shop.models import new_order_number
    from tests.stack.filling import place_orders, real_offers

    number = new_order_number()
    (bought,) = place_orders(product, real_offers([number]), [number])
    node.pay(bought["address"], bought["amount"])
    node.call("syncwithvalidationinterfacequeue")  # until its wallets know


def mine(node: Node) -> None:
    node.mine()
    node.call("syncwithvalidationinterfacequeue")


def take_turn() -> None:
    ask_the_node()
    settle_touched()


def ask_the_node() -> int:
    """Poll the node and return the number of invoices with new facts."""
    from django.utils import timezone

    from payments.sync.follower import poll

    return len(poll("BTC", at=timezone.now()))


def poll_one_payment() -> None:
    if ask_the_node() != 1:
        raise AssertionError("This turn must read exactly one payment.")


def settle_touched() -> None:
    from django.utils import timezone

    from payments.invoices.settlement import settle
    from payments.models import Invoice

    for invoice_id in list(Invoice.objects.touched().order_by("id").values_list("pk", flat=True)):
        settle(invoice_id, at=timezone.now())


def sweep() -> None:
    from payments.tasks import sweep_invoices

    sweep_invoices()


def measure_rounds() -> None:
    """Measure rounds over invoices that lnd knows, because the first round closes unknown ones."""
    costs = []
    for count in (LIGHTNING_FEW, LIGHTNING_MANY - LIGHTNING_FEW):
        open_over_lightning(count)
        costs.append({"a slow round": cost_of_a_round()})
    show("over Lightning", [LIGHTNING_FEW, LIGHTNING_MANY], costs)
    cost = costs[1]["a slow round"] / LIGHTNING_MANY
    print(f"{cost:.2f} ms for each open invoice, without the turns and under a lease of its own.", flush=True)


def open_over_lightning(count: int) -> None:
    from django.utils import timezone

    from shop.models import new_order_number
    from tests.stack.filling import real_offers, write_invoices

    numbers = [new_order_number() for _ in range(count)]
    write_invoices(list(zip(numbers, real_offers(numbers, LIGHTNING), strict=True)), timezone.now())


def show(what: str, counts: Sequence[int], costs: Sequence[dict[str, float]]) -> None:
    (few, many), (cheap, dear) = counts, costs
    print(f"{what:20}{few:>12,}{many:>12,}   ratio   load {os.getloadavg()[0]:.1f}")
    for name in cheap:
        ratio = dear[name] / cheap[name]
        note = f" (more than {MOST})" if name.startswith("a turn") and ratio > MOST else ""
        print(f"{name:20}{cheap[name]:9.2f} ms{dear[name]:9.2f} ms   {ratio:4.2f} ×{note}", flush=True)


def cost_of_a_round() -> float:
    """Return the median duration of a slow round in milliseconds."""
    from django.utils import timezone

    from payments.sync.option_sweep import check_open_options

    return statistics.median(milliseconds(lambda: check_open_options("BTC-LN", at=timezone.now())) for _ in range(ROUNDS))


if __name__ == "__main__":
    main()
