"""Payments and invoices over the API, as lists and as files, for those who may read them."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from payments.accounting.ledger import COLUMNS
from payments.accounting.tests.test_ledger import exported, fill_ledger
from payments.invoices.settlement import settle
from payments.models import Payment
from payments.tests.factories import NOW, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db

ROUTES = ["/api/payments", "/api/invoices"]
NOBODYS_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def api():
    """Somebody who may read payments and nothing else."""
    reader = UserFactory(is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    return ApiClient(reader)


def data(api, path, **filters):
    answer = api.get(path, filters)
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def file_of(api, path, **filters):
    answer = api.get(path, {**filters, "format": "csv"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


@pytest.mark.parametrize("path", ROUTES)
def test_a_file_that_is_asked_for_in_pages_is_refused_with_each_parameter(api, path):
    answer = api.get(path, {"format": "csv", "page": "2", "limit": "false", "after": "x"})

    assert answer.status_code == 400
    assert [(each["field"], each["message"]) for each in answer.json()["error"]["details"]] == [
        (name, "A file has all rows: leave this out.") for name in ("page", "limit", "after")
    ]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("query", ["", "?format=csv"])
def test_listing_payments_needs_permission(path, query):
    PaymentFactory()
    buyer, clerk = UserFactory(), StaffFactory(is_superuser=False)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "view_order", "change_payment"]))

    assert ApiClient().get(path + query).status_code == 401
    for person in (buyer, clerk):
        answer = ApiClient(person).get(path + query)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_a_payment_shows_its_value_its_rate_and_its_transaction(api):
    option = OptionFactory(rate_sources={"kraken": "50000"}, minor_per_coin=Decimal("5000000.5"))
    payment = PaymentFactory(option=option, reference=f"{'ab' * 32}:1", status="settled", height=7)

    assert data(api, "/api/payments") == [
        {
            "id": str(payment.pk),
            "invoiceId": str(payment.invoice_id),
            "orderNumber": "7K3M9-2QFXA",
            "network": "BTC",
            "status": "settled",
            "amount": "0.00200000",
            "currency": "USD",
            "value": "100.00",
            "rate": "50000.005",
            "rateSources": {"kraken": "50000"},
            "reference": f"{'ab' * 32}:1",
            "txid": "ab" * 32,
            "destination": option.destination,
            "receivedAt": "2026-11-01T12:01:00+00:00",
            "height": 7,
            "updatedAt": Payment.objects.get().updated_at.isoformat(),
        }
    ]


def test_an_invoice_shows_the_requested_and_the_received_amount(api):
    invoice = InvoiceFactory(paid_seen_minor=10_050, paid_safe_minor=5000, flags={"overpaid", "late"}, status="settled", settled_at=NOW)
    option = OptionFactory(invoice=invoice, rate_sources={"kraken": "50000"})

    assert data(api, "/api/invoices") == [
        {
            "id": str(invoice.pk),
            "orderId": str(invoice.subject_id),
            "orderNumber": "7K3M9-2QFXA",
            "status": "settled",
            "flags": ["late", "overpaid"],
            "currency": "USD",
            "price": "100.00",
            "paidSeen": "100.50",
            "paidSafe": "50.00",
            "options": [
                {
                    "network": "BTC",
                    "destination": option.destination,
                    "amount": "0.00200000",
                    "rate": "50000.00",
                    "rateSources": {"kraken": "50000"},
                    "quotedAt": "2026-11-01T12:00:00+00:00",
                    "expiresAt": "2026-11-01T12:15:00+00:00",
                }
            ],
            "createdAt": "2026-11-01T12:00:00+00:00",
            "expiresAt": "2026-11-01T12:15:00+00:00",
            "settledAt": "2026-11-01T12:00:00+00:00",
        }
    ]


def test_lists_are_sorted_newest_first_and_paged(api):
    for hours in (2, 0, 1):
        PaymentFactory(first_seen_at=NOW + timedelta(hours=hours), invoice__created_at=NOW + timedelta(hours=hours))
    for path, moment in (("/api/payments", "receivedAt"), ("/api/invoices", "createdAt")):
        answer = api.get(path, {"limit": 2, "page": 1}).json()
        after = answer["meta"].pop("next")
        assert answer["meta"] == {"page": 1, "limit": 2, "total": 3}
        assert [row[moment][11:13] for row in answer["data"]] == ["14", "13"] if path == "/api/payments" else ["12", "12"]
        assert data(api, path, limit=2, page=2) == data(api, path, limit=2, after=after)
        assert len(data(api, path, limit=2, after=after)) == 1


FILTERS = [
    ({"network": "LTC"}, {"LTC"}),
    ({"status": "settled"}, {"XRP"}),
    ({"from": "2026-11-03"}, {"LTC", "XRP"}),
    ({"to": "2026-11-03"}, {"BTC"}),
    ({"from": "2026-11-01", "to": "2026-11-03T12:00:00Z"}, {"BTC"}),
    ({"order": "LTC"}, {"LTC"}),
    ({"order": "", "network": "", "from": "", "format": ""}, {"BTC", "LTC", "XRP"}),
    ({"order": "LTC", "network": "BTC"}, set()),
    ({"order": "=1+1"}, set()),
    ({"order": NOBODYS_ID}, set()),
]


@pytest.mark.parametrize(("filters", "found"), FILTERS)
@pytest.mark.parametrize("path", ROUTES)
def test_lists_and_exports_are_filtered_the_same_way(api, path, filters, found):
    for days, network in enumerate(("BTC", "LTC", "XRP")):
        moment = NOW + timedelta(days=2 * days)
        status = "settled" if network == "XRP" else "new"
        invoice = InvoiceFactory(label=f"order_{network}", created_at=moment, status=status)
        option = OptionFactory(invoice=invoice, network=network)
        PaymentFactory(option=option, first_seen_at=moment, status="settled" if network == "XRP" else "seen")

    assert {row["orderNumber"] for row in data(api, path, **filters)} == found
    if not filters.get("format", "csv"):
        return
    assert {row["order"] for row in file_of(api, path, **filters)} == found


def test_invoices_can_be_filtered_by_the_orders_id(api):
    payment, _ = PaymentFactory(), PaymentFactory()
    subject = str(payment.invoice.subject_id)
    assert [row["id"] for row in data(api, "/api/payments", order=subject)] == [str(payment.pk)]
    assert [row["id"] for row in data(api, "/api/invoices", order=subject.upper())] == [str(payment.invoice_id)]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"network": "DOGE"}, "network"),
        ({"network": "btc"}, "network"),
        ({"status": "paid"}, "status"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"to": "99999999999"}, "to"),
        ({"order": "x" * 81}, "order"),
        ({"order": "a\0b"}, "order"),
        ({"format": "xml"}, "format"),
        ({"page": "0"}, "page"),
        ({"limit": "101"}, "limit"),
    ],
)
@pytest.mark.parametrize("path", ROUTES)
def test_an_invalid_filter_is_named_in_the_error(api, path, filters, field):
    answer = api.get(path, filters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert [row["field"] for row in answer.json()["error"]["details"]] == [field]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("format_", ["json", "csv"])
def test_the_number_of_queries_does_not_grow_with_the_rows(api, path, format_):
    def queries():
        with CaptureQueriesContext(connection) as asked:
            answer = api.get(path, {"format": format_, "limit": 100})
            b"".join(answer) if answer.streaming else answer.json()
        return len(asked)

    PaymentFactory()
    queries()  # looks up who asks, and remembers it
    few = queries()
    PaymentFactory.create_batch(20)
    assert queries() == few


def test_payments_are_exported_as_the_ledgers_csv(api):
    fill_ledger(4)
    PayoutFactory()
    rows = file_of(api, "/api/payments")
    assert tuple(rows[0]) == COLUMNS
    assert rows == [row for row in exported()[0] if row["kind"] == "payment"]
    listed = data(api, "/api/payments", limit=100)
    assert sorted((row["reference"], row["value"], row["rate"], row["amount"]) for row in listed) == sorted(
        (row["reference"], row["uncounted_value"] or row["value"], row["rate"], row["uncounted_amount"] or row["amount"]) for row in rows
    )


def test_invoices_are_exported_as_csv(api):
    invoice = InvoiceFactory(label="order_+1", flags={"overpaid", "late"}, paid_seen_minor=1, currency="JPY")
    assert file_of(api, "/api/invoices") == [
        {
            "time": "2026-11-01T12:00:00Z",
            "order": "'+1",
            "status": "new",
            "flags": "late overpaid",
            "currency": "JPY",
            "price": "10000",
            "paid_seen": "1",
            "paid_safe": "0",
            "expires": "2026-11-01T12:15:00Z",
            "settled": "",
            "id": str(invoice.pk),
        }
    ]


def test_the_openapi_document_describes_the_csv_exports(client):
    for path in ROUTES:
        operation = client.get("/api/schema").json()["paths"][path]["get"]
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/csv"}
        named = {each["name"] for each in operation["parameters"]}
        changes = {"updatedSince"} if path == "/api/payments" else set()
        assert named == {"from", "to", "order", "network", "status", "format", "page", "limit", "after"} | changes


def test_payments_that_changed_since_come_in_the_order_of_their_change(api):
    old, second, first = (PaymentFactory() for _ in range(3))
    for payment, days in ((old, 0), (first, 1), (second, 2)):
        Payment.objects.filter(pk=payment.pk).update(updated_at=NOW + timedelta(days=days))
    since = (NOW + timedelta(hours=1)).isoformat()

    page = api.get("/api/payments", {"updatedSince": since, "limit": 1}).json()
    after = data(api, "/api/payments", updatedSince=since, limit=1, after=page["meta"]["next"])

    assert [row["id"] for row in page["data"] + after] == [str(first.pk), str(second.pk)]
    assert after[0]["updatedAt"].startswith((NOW + timedelta(days=2)).date().isoformat())


def test_a_verdict_is_a_change_of_the_payment():
    """Else who asks for what changed is never told that a payment has settled."""
    payment = PaymentFactory(status="seen", is_safe=True)
    Payment.objects.filter(pk=payment.pk).update(updated_at=NOW)

    settle(payment.invoice_id, at=NOW)

    payment.refresh_from_db()
    assert (payment.status, payment.updated_at > NOW) == ("settled", True)


def test_only_payments_are_asked_for_by_their_change(api):
    for path in ("/api/invoices", "/api/payouts"):
        assert api.get(path, {"updatedSince": "2026-11-01"}).json()["error"]["details"][0]["field"] == "updatedSince"
