"""The kept figures: what counts, on which day, and exactly once."""

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command

from cryptons.db import in_transaction
from payments.models import Alert, Invoice, Payout
from payments.payouts.play_money import close_sandbox
from payments.payouts.workflow import approve_payout, draft_payout, mark_sent
from shop.figures import counting, recounting
from shop.figures.counting import count_orders
from shop.figures.models import CountedOrder, Figure, FigureState
from shop.figures.nightly import check_figures
from shop.figures.recounting import differences, recount
from shop.figures.sales import Refund, Sale, split
from shop.figures.tests.by_hand import check_against_orders
from shop.models import Order, Product
from shop.orders.lifecycle import change_status
from shop.tests.factories import NOW, OrderFactory, OrderLineFactory
from shop.tests.paying import pay, placed, tell

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = date(2026, 11, 1)
HOME = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("payments.tasks.enqueue", lambda *_, **__: None)


def figure(of="all", key="", day=TODAY):
    """Return orders placed and paid, units, revenue, refunds and what they were worth."""
    count_orders()
    return Figure.objects.filter(of=of, key=key, day=day, currency="USD").values_list(
        "placed", "orders", "units", "revenue_minor", "refunds", "refunded_minor"
    )[0]


def refund(order, *, at=NOW):
    payout = draft_payout(Invoice.objects.get(subject_id=order.pk).pk, kind="refund", network="BTC", actor="grace", at=at, destination=HOME)
    approve_payout(payout.pk, actor="grace", at=at)
    if Payout.objects.get(pk=payout.pk).status == "draft":
        approve_payout(payout.pk, actor="ada", at=at)
    mark_sent(Payout.objects.get(pk=payout.pk), "b" * 64, fee_base=1, at=at)
    return Payout.objects.get(pk=payout.pk)


def test_a_paid_order_counts_once_in_all_of_its_day_coin_product_and_category():
    order = placed()
    assert figure() == (1, 0, 0, 0, 0, 0)

    pay(order, percent=150)
    check_against_orders()

    line = order.lines.get()
    assert figure() == (1, 1, 2, 9_998, 0, 0)
    assert [figure("coin", "BTC"), figure("product", "KETTLE")] == [
        (0, 1, 2 * (of == "product"), 9_998, 0, 0) for of in ("coin", "product")
    ]
    assert figure("category", str(line.product.category_id)) == (0, 1, 2, 9_998, 0, 0)
    assert (count_orders(), differences()) == (0, [])


@pytest.mark.parametrize(("orders", "transactions"), [(1, 1), (2, 2), (3, 2)])
def test_a_batch_that_is_not_full_is_the_last_one(monkeypatch, orders, transactions):
    monkeypatch.setattr(counting, "BATCH", 2)
    OrderFactory.create_batch(orders)

    assert count_orders() == orders
    assert FigureState.objects.get().turn == transactions


def test_money_that_a_reorg_takes_back_is_no_revenue_until_it_settles_again():
    order = placed()
    pay(order)
    count_orders()
    tell(order, present=False)
    assert figure() == (1, 0, 0, 0, 0, 0)
    pay(order)
    assert figure() == (1, 1, 2, 9_998, 0, 0)


def test_a_refund_counts_on_the_day_on_which_it_was_sent():
    order = placed()
    pay(order)
    count_orders()
    change_status(order.pk, "cancelled", actor="grace", at=NOW, reason="broken")
    payout = refund(order, at=NOW + timedelta(days=1))
    assert figure() == (1, 1, 2, 9_998, 0, 0)
    assert figure(day=TODAY + timedelta(days=1)) == (0, 0, 0, 0, 1, payout.value_minor)
    assert figure("coin", "BTC", TODAY + timedelta(days=1)) == (0, 0, 0, 0, 1, payout.value_minor)


def test_play_money_counts_until_the_shop_takes_real_money(settings):
    order = placed()
    pay(order)
    placed(product=Product.objects.get())
    change_status(order.pk, "cancelled", actor="grace", at=NOW)
    refund(order)
    assert figure() == (2, 1, 2, 9_998, 1, 9_998)

    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    assert close_sandbox(at=NOW) == 2

    assert figure() == (0, 0, 0, 0, 0, 0)
    check_against_orders()
    assert differences() == []


def test_days_are_those_of_the_shops_time_zone(settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    placed(at=NOW)  # noon in UTC
    assert figure(day=TODAY + timedelta(days=1))[0] == 1


def test_what_was_sold_of_a_deleted_product_stays_sold_in_its_category():
    order = placed()
    pay(order)
    count_orders()
    product = order.lines.get().product
    product.delete()
    recount()
    assert figure("product", "KETTLE")[3] == figure("category", str(product.category_id))[3] == 9_998


def test_a_crash_while_counting_leaves_the_figures_and_the_order_as_they_were(monkeypatch):
    order = placed()
    count_orders()
    pay(order)
    monkeypatch.setattr(counting, "_write", lambda tally: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        count_orders()
    monkeypatch.undo()
    assert Order.objects.uncounted().count() == 1
    assert figure() == (1, 1, 2, 9_998, 0, 0)


def test_the_nightly_check_alerts_of_a_difference_and_a_recount_mends_it(capsys):
    order = placed()
    pay(order)
    check_figures(at=NOW)
    assert not Alert.objects.exists()

    Figure.objects.filter(of="all").update(revenue_minor=1)
    check_figures(at=NOW)
    assert "2026-11-01 differ from the orders" in Alert.objects.get().text
    with pytest.raises(SystemExit):
        call_command("recount_figures", check=True)
    assert "2026-11-01 USD all: revenue_minor 1, not 9998" in capsys.readouterr().out

    call_command("recount_figures")
    call_command("recount_figures", check=True)
    assert figure() == (1, 1, 2, 9_998, 0, 0)


def test_a_recount_that_was_interrupted_is_told_and_can_be_repeated(monkeypatch):
    placed()
    count_orders()
    monkeypatch.setattr("shop.figures.recounting._ids", lambda rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recount()
    monkeypatch.undo()

    assert FigureState.objects.get().is_recounting
    check_figures(at=NOW)
    assert "not completed" in Alert.objects.get().text
    assert recount() == 1
    assert figure()[0] == 1


@pytest.mark.parametrize("ends", [False, True])
def test_a_recount_stops_when_another_one_begins(monkeypatch, ends):
    """The other one has just begun, or has counted all orders already."""
    placed()
    count_orders()
    empty, others = recounting._empty, [recount if ends else lambda: in_transaction(recounting._begin)]

    def empty_after_another_began(rows, turn):
        if others:
            others.pop()()
        return empty(rows, turn)

    monkeypatch.setattr(recounting, "_empty", empty_after_another_began)
    with pytest.raises(CommandError, match="Another recount"):
        call_command("recount_figures")

    assert (FigureState.objects.get().is_recounting, CountedOrder.objects.count()) == (not ends, 1)
    if not ends:
        recount()
    assert figure()[0] == 1


def test_orders_of_two_currencies_are_two_figures():
    for currency in ("USD", "EUR"):
        OrderLineFactory.create(order=OrderFactory.create(currency=currency))
    count_orders()
    assert sorted(Figure.objects.values_list("currency", "placed")) == [("EUR", 1), ("USD", 1)]


def test_a_total_is_split_among_the_coins_that_paid_it_without_loss():
    assert split(1_000, {"LTC": 1, "BTC": 2}) == (("BTC", 667), ("LTC", 333))
    assert split(1_000, {"BTC": 0}) == (("BTC", 1_000),)


def test_a_sale_is_kept_as_it_is():
    sale = Sale(TODAY, TODAY, (("BTC", 5), ("LTC", 4)), (Refund(TODAY, "BTC", 9),))
    assert Sale.from_json(sale.as_json()) == sale
