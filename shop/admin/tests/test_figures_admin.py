"""The figures on the admin's home, and their file."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory
from shop.figures.charts import HEIGHT, chart_of, percent_of
from shop.figures.models import Figure
from shop.figures.reading import Amounts, Part
from shop.tests.factories import ProductFactory

HOME, FILE = "/admin/", "/admin/shop/order/figures/"


def staff(client, *rights):
    user = StaffFactory(is_superuser=False)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


def figure(of="all", key="", **amounts):
    return Figure.objects.create(of=of, key=key, day=timezone.now().date(), **{"currency": "USD", **amounts})


@pytest.mark.django_db
def test_the_home_page_shows_the_figures_as_bars_and_as_numbers(client):
    figure(placed=2, orders=1, units=2, revenue_minor=9_998, refunds=1, refunded_minor=500)
    figure("product", "KETTLE", name="Copper <b>Kettle</b>", orders=1, units=2, revenue_minor=9_998)
    figure("coin", "BTC", orders=1, revenue_minor=9_998, refunds=1, refunded_minor=500)
    figure("category", "", orders=1, units=2, revenue_minor=9_998)
    figure(currency="EUR", placed=1)
    ProductFactory(name="Last Pan", stock=1)

    page = staff(client, "view_order").get(HOME).content.decode()

    assert page.count("$99.98") >= 5
    for words in ("$5.00 refunded", "Copper &lt;b&gt;Kettle", "Bitcoin", "No longer in the shop", "The days as a table", "currency=EUR"):
        assert words in page
    assert ('aria-current="page">30 days' in page, "Last Pan" in page) == (True, False)
    page = staff(client, "view_order", "view_product").get(f"{HOME}?period=7d&currency=EUR").content.decode()
    assert ("No paid orders in this period." in page, "$99.98" in page, "Last Pan" in page) == (True, False, True)


@pytest.mark.django_db(transaction=True)
def test_the_figures_and_their_file_are_for_who_may_view_orders(client):
    figure(placed=1)
    staff(client, "view_order")
    assert client.get(FILE, {"period": "7d"})["Content-Disposition"] == 'attachment; filename="figures-7d.csv"'
    assert client.get(FILE, {"period": "8d"}).status_code == 400
    staff(client, "view_product")
    assert client.get(FILE).status_code == 403
    assert "sales-title" not in client.get(HOME).content.decode()


def test_the_bars_of_a_chart_keep_their_proportion_and_fit():
    amounts = [(0, 0), (1_000, 0), (500, 500), (1, 0)]
    days = [
        Part((date(2026, 11, 1) + timedelta(days=day)).isoformat(), "", Amounts("USD", revenue_minor=came, refunded_minor=went))
        for day, (came, went) in enumerate(amounts)
    ]
    chart = chart_of(days)
    assert (chart.width, chart.most_minor) == (40, 1_000)
    assert [(bar.revenue > 0, bar.refunded > 0) for bar in chart.bars] == [(False, False), (True, False), (True, True), (True, False)]
    assert chart.bars[1].revenue // chart.bars[2].revenue == 2
    assert all(bar.top >= 0 and bar.line + bar.refunded <= HEIGHT for bar in chart.bars)
    assert chart_of(days[:1]).bars[0].revenue == 0


def test_a_bar_among_others_is_as_long_as_its_part():
    assert [percent_of(part, 200) for part in (200, 100, 1, 0, -5)] == [100, 50, 1, 0, 0]
