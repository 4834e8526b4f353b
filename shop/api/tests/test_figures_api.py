"""The shop's figures over the API: totals, a period, and the same as CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from shop.figures.models import Figure
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr("shop.api.figures.timezone", SimpleNamespace(now=lambda: NOW))
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename="view_order"))
    return ApiClient(staff)


def figure(of, key="", *, days_ago=0, currency="USD", **amounts):
    return Figure.objects.create(of=of, key=key, day=TODAY - timedelta(days=days_ago), currency=currency, **amounts)


def amounts(**more):
    nothing = {"placed": 0, "orders": 0, "units": 0, "revenue": "0.00", "averageOrder": None, "refunds": 0, "refunded": "0.00"}
    return {"currency": "USD", **nothing, **more}


def test_the_figures_of_a_shop_without_orders_are_zeros(api):
    data = api.get("/api/admin/analytics?period=7d").json()["data"]

    assert data["totals"] == amounts()
    assert [day["day"] for day in data["days"]] == [f"2026-11-{day}" for day in range(21, 28)]
    assert all(day["amounts"] == amounts() for day in data["days"])
    assert (data["coins"], data["products"], data["categories"], data["lowStock"], data["otherCurrencies"]) == ([], [], [], [], [])


def test_the_figures_of_a_period_are_sums_over_its_days_in_one_currency(api):
    category = CategoryFactory(name="Kettles")
    product = ProductFactory(sku="KETTLE", name="Tin Kettle", stock=2, category=category)
    for days_ago in (0, 6, 7):
        sold = {"orders": 2, "units": 3, "revenue_minor": 10_001, "days_ago": days_ago}
        figure("all", placed=4, refunds=1, refunded_minor=500, **sold)
        figure("coin", "BTC", **sold)
        figure("product", "KETTLE", name="Copper Kettle", **sold)
        figure("category", str(category.pk), **sold)
    figure("product", "GONE", name="Old Pot", orders=1, units=1, revenue_minor=50_000)
    figure("all", currency="EUR", placed=1, orders=1, units=1, revenue_minor=99)

    answer = api.get("/api/admin/analytics?period=7d")

    data, sold = answer.json()["data"], amounts(orders=4, units=6, revenue="200.02", averageOrder="50.01")
    assert answer["Cache-Control"] == "no-store"
    assert (data["since"], data["until"], data["timeZone"]) == ("2026-11-21", "2026-11-27", "UTC")
    assert data["totals"] == {**sold, "placed": 8, "refunds": 2, "refunded": "10.00"}
    assert data["coins"] == [{"coin": "BTC", "name": "Bitcoin", "amounts": sold}]
    assert [(row["sku"], row["name"], row["productId"]) for row in data["products"]] == [
        ("GONE", "Old Pot", None),
        ("KETTLE", "Tin Kettle", str(product.pk)),
    ]
    assert data["categories"] == [{"categoryId": str(category.pk), "name": "Kettles", "amounts": sold}]
    assert data["lowStock"] == [{"productId": str(product.pk), "sku": "KETTLE", "name": "Tin Kettle", "stock": 2}]
    assert data["otherCurrencies"] == ["EUR"]
    assert api.get("/api/admin/analytics?currency=EUR").json()["data"]["totals"]["revenue"] == "0.99"
    assert len(api.get("/api/admin/analytics?period=1y").json()["data"]["days"]) == 365


@pytest.mark.parametrize("query", ["period=8d", "period=2y", "currency=XXX", "format=pdf", "days=7"])
def test_a_period_or_currency_that_there_is_not_is_a_400_that_names_it(api, query):
    answer = api.get(f"/api/admin/analytics?{query}")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, query.partition("=")[0])


def test_the_file_has_a_row_for_each_figure_and_no_cell_is_run_as_a_formula(api, monkeypatch):
    monkeypatch.setattr("shop.figures.reading.PAGE", 2)
    figure("all", placed=3, orders=1, units=2, revenue_minor=9_998)
    figure("product", "=KETTLE", name="+Kettle", orders=1, units=2, revenue_minor=9_998)
    figure("all", currency="JPY", days_ago=1, orders=1, revenue_minor=500, refunds=1, refunded_minor=400)
    figure("all", days_ago=2)
    figure("all", days_ago=30, placed=1)

    answer = api.get("/api/admin/analytics?format=csv")

    assert answer["Content-Disposition"] == 'attachment; filename="figures-30d.csv"'
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode(), newline="")))
    assert rows == [
        ["day", "of", "key", "name", "currency", "placed", "orders", "units", "revenue", "refunds", "refunded"],
        ["2026-11-26", "all", "", "", "JPY", "0", "1", "0", "500", "1", "400"],
        ["2026-11-27", "all", "", "", "USD", "3", "1", "2", "99.98", "0", "0.00"],
        ["2026-11-27", "product", "'=KETTLE", "'+Kettle", "USD", "0", "1", "2", "99.98", "0", "0.00"],
    ]


def test_the_totals_of_the_shop_are_by_currency(api):
    ProductFactory(stock=0)
    ProductFactory(is_listed=False)
    figure("all", placed=2, orders=1, units=1, revenue_minor=100)
    figure("all", days_ago=900, placed=1)
    figure("all", currency="EUR", placed=1)

    data = api.get("/api/admin/stats").json()["data"]

    assert (data["users"], data["products"], data["listed"], data["lowStock"]) == (1, 2, 1, 1)
    assert [(sales["currency"], sales["placed"], sales["revenue"]) for sales in data["sales"]] == [("USD", 3, "1.00"), ("EUR", 1, "0.00")]


@pytest.mark.parametrize("path", ["/api/admin/stats", "/api/admin/analytics", "/api/admin/analytics?format=csv"])
@pytest.mark.parametrize(("who", "status"), [(None, 401), (UserFactory, 403), (lambda: StaffFactory(is_superuser=False), 403)])
def test_the_figures_need_the_permission_to_read_them(path, who, status):
    assert ApiClient(who() if who else None).get(path).status_code == status
