"""Staff see what the list of payments adds up to, and take the same rows away as a file."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.templatetags.formats import coin, fiat
from payments.accounting.ledger import add_up, ledger, payments_in, payouts_in
from payments.accounting.periods import Period, parse_moment
from payments.accounting.tests.test_ledger import fill_ledger
from payments.admin import payments_list
from payments.admin.payments_list import usual_periods
from payments.models import Payment, Payout
from payments.tests.factories import NOW, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db

LIST, EXPORT = "/admin/payments/payment/", "/admin/payments/payment/export/"
CELL = re.compile(r"<(?:td|th scope=\"row\")>([^<]*)</t[dh]>")


@pytest.fixture
def staff(client):
    client.force_login(StaffFactory())
    return client


def figures_on(page):
    """The table of sums, cell by cell; empty when there is none."""
    found = re.search(r'<table class="figures">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    return [CELL.findall(row) for row in found[1].split("</tr>")[:-1]] if found else []


def shown(each):
    return [
        each.network,
        f"{coin(each.safe_base, each.network)} = {fiat(each.safe_minor, each.currency)}",
        f"{coin(each.seen_base, each.network)} = {fiat(each.seen_minor, each.currency)}",
        f"{coin(each.paid_out_base, each.network)} = {fiat(each.paid_out_minor, each.currency)}",
        coin(each.fees_base, each.network),
    ]


def read_file(client, **filters):
    answer = client.get(EXPORT, filters)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="ledger.csv"'
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("network", ["", "LTC"])
@pytest.mark.parametrize("days", [None, (0, 3), (2, 5)])
def test_the_page_shows_the_sums_of_the_ledger(staff, seed, network, days):
    fill_ledger(seed)
    filters, period = {"network": network} if network else {}, Period()
    if days:
        period = Period(*(NOW.replace(hour=0) + timedelta(days=day) for day in days))
        filters |= {"since": f"{period.since:%Y-%m-%d}", "until": f"{period.until:%Y-%m-%d}"}

    page = staff.get(LIST, filters).content.decode()

    expected = list(ledger(payments_in(period, network), payouts_in(period, network)))
    assert len(expected) > 2
    assert figures_on(page) == [shown(each) for each in add_up(expected)]
    assert [row["reference"] for row in read_file(staff, **filters)] == [row.reference for row in expected]


def test_a_list_filtered_by_status_or_search_leaves_payouts_out_and_says_so(staff):
    PaymentFactory(status="settled")
    PaymentFactory(status="gone", option=OptionFactory(invoice=InvoiceFactory(label="order_OTHER")))
    PayoutFactory(status="sent", sent_at=NOW)

    for filters in ({"status__exact": "settled"}, {"q": "7K3M9"}):
        page = staff.get(LIST, filters).content.decode()
        assert figures_on(page) == [["BTC", "0.00200000 = $100.00", "0.00200000 = $100.00"]]
        assert "payouts are left out" in page
        assert [row["kind"] for row in read_file(staff, **filters)] == ["payment"]
    assert "payouts are left out" not in staff.get(LIST).content.decode()


def test_a_list_too_long_to_add_up_says_so_and_its_export_is_complete(staff, monkeypatch):
    monkeypatch.setattr(payments_list, "MOST_ADDED_UP", 1)
    PaymentFactory.create_batch(2)

    page = staff.get(LIST).content.decode()

    assert figures_on(page) == []
    assert "more than 1 payments: choose a shorter time" in page
    assert len(read_file(staff)) == 2


def test_the_form_for_the_period_keeps_the_other_filters(staff):
    PaymentFactory()
    page = staff.get(LIST, {"network": "BTC", "since": "2026-11-01", "q": "7K3M9", "p": "1"}).content.decode()
    assert '<input type="date" name="since" value="2026-11-01">' in page
    assert '<input type="hidden" name="network" value="BTC">' in page
    assert '<input type="hidden" name="q" value="7K3M9">' in page
    assert 'name="p"' not in page
    assert f'href="{EXPORT}?network=BTC&amp;since=2026-11-01&amp;q=7K3M9&amp;p=1"' in page


@pytest.mark.parametrize(
    ("now", "last_month"),
    [
        ("2026-01-31", ("2025-12-01", "2026-01-01")),
        ("2028-03-01", ("2028-02-01", "2028-03-01")),
        ("2026-12-31", ("2026-11-01", "2026-12-01")),
    ],
)
def test_each_preset_period_begins_on_its_first_day(now, last_month):
    usual = usual_periods(parse_moment(now))
    assert usual["Last month"] == last_month
    assert usual["This month"] == (last_month[1], "")
    assert (usual["Today"], usual["This year"]) == ((now, ""), (f"{now[:4]}-01-01", ""))


def test_the_preset_periods_are_links_and_the_selected_one_is_marked(staff):
    month = f"{timezone.now():%Y-%m}-01"
    page = staff.get(LIST, {"since": month, "network": "BTC"}).content.decode()
    assert f'<li class="selected"><a href="?network=BTC&amp;since={month}">This month</a></li>' in page
    assert '<li><a href="?network=BTC">Any time</a></li>' in page


def test_an_empty_list_shows_no_sums(staff):
    assert figures_on(staff.get(LIST).content.decode()) == []
    assert read_file(staff) == []


def test_an_invalid_filter_redirects_to_the_list(staff):
    assert staff.get(EXPORT, {"since": "yesterday"})["Location"] == LIST
    assert staff.get(LIST, {"since": "yesterday"})["Location"] == f"{LIST}?e=1"


def test_staff_without_permission_to_view_payments_get_neither_sums_nor_export(client):
    PaymentFactory()
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "view_payout"]))
    client.force_login(staff)
    assert (client.get(LIST).status_code, client.get(EXPORT).status_code) == (403, 403)

    staff.user_permissions.add(Permission.objects.get(codename="view_payment"))
    assert len(read_file(client)) == 1

    client.force_login(UserFactory())
    assert client.get(EXPORT).status_code == 302


def test_viewing_and_exporting_the_list_change_nothing(staff):
    fill_ledger(1)
    before = [list(model.objects.order_by("pk").values()) for model in (Payment, Payout)]
    staff.get(LIST)
    read_file(staff)
    assert [list(model.objects.order_by("pk").values()) for model in (Payment, Payout)] == before
