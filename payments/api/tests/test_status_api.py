"""Invoices, rates and the sandbox over the API."""

import pytest

from accounts.tests.factories import ApiClient
from payments.invoices.settlement import settle
from payments.models import Payment
from payments.sync.sandbox_plays import PLAYS
from payments.tests.factories import DUE, NOW, TIP, CursorFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db

NOBODYS_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def api():
    return ApiClient()


@pytest.fixture
def follow(monkeypatch):
    queued = []
    monkeypatch.setattr("payments.api.sandbox.enqueue", lambda task: queued.append(1))
    return queued


def test_an_invoice_shows_the_amount_to_pay_and_the_address(api):
    option = OptionFactory()

    answer = api.get(f"/api/invoices/{option.invoice_id}")

    data = answer.json()["data"]
    assert answer["Cache-Control"] == "no-store"
    assert (data["status"], data["flags"], data["network"]) == ("new", [], "BTC")
    assert (data["price"], data["currency"], data["amount"], data["amountRemaining"]) == ("100.00", "USD", "0.00200000", "0.00200000")
    assert data["address"] == option.destination
    assert data["uri"].startswith(f"bitcoin:{option.destination}?amount=0.002")
    assert (data["confirmations"], data["confirmationsNeeded"]) == (0, 2)


def test_an_invoice_shows_the_paid_and_the_remaining_amount(api):
    CursorFactory()
    payment = PaymentFactory(amount_base=DUE // 4, height=TIP)
    settle(payment.invoice_id, at=NOW)

    data = api.get(f"/api/invoices/{payment.invoice_id}").json()["data"]

    assert (data["paid"], data["amountRemaining"], data["confirmations"]) == ("25.00", "0.00150000", 1)


def test_an_invoice_reveals_nothing_about_its_buyer(api):
    data = api.get(f"/api/invoices/{OptionFactory().invoice_id}").json()["data"]
    assert not {"email", "order", "label", "subjectId", "user"} & set(data)


@pytest.mark.parametrize("invoice_id", [NOBODYS_ID, "x", "1", "%00", "😀", "a" * 500])
def test_an_unknown_invoice_is_not_found(api, invoice_id):
    answer = api.get(f"/api/invoices/{invoice_id}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_the_rates_are_decimal_strings_with_their_age(api, settings):
    from decimal import Decimal

    settings.FIXED_RATES = {"BTC": Decimal("65000.00")}

    answer = api.get("/api/rates")

    rate = answer.json()["data"]["BTC"]
    assert (rate["rate"], rate["currency"]) == ("65000.00", "USD")
    assert rate["ageSeconds"] == 0


@pytest.mark.parametrize(("rate", "told"), [("0.5005", "0.5005"), ("0.0004", "0.0004"), ("65000", "65000.00"), ("0.1", "0.10")])
def test_a_rate_is_told_with_all_digits_that_price_an_order(api, settings, rate, told):
    from decimal import Decimal

    settings.FIXED_RATES = {"XRP": Decimal(rate)}

    assert api.get("/api/rates").json()["data"]["XRP"]["rate"] == told


@pytest.mark.parametrize("play", sorted(PLAYS))
def test_each_sandbox_scenario_can_be_started(api, follow, play):
    from django.utils import timezone

    option = OptionFactory(invoice__expires_at=timezone.now() + timezone.timedelta(minutes=15))

    answer = api.post("/api/sandbox/pay", {"invoiceId": str(option.invoice_id), "play": play})

    assert answer.status_code == 202
    assert answer.json()["data"]["does"] == PLAYS[play]
    assert follow == [1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"invoiceId": NOBODYS_ID, "play": "exact"}, 404),
        ({"invoiceId": "x", "play": "exact"}, 400),
        ({"invoiceId": NOBODYS_ID, "play": "steal"}, 400),
        ({"invoiceId": NOBODYS_ID}, 400),
        ({"invoiceId": {"$ne": None}, "play": "exact"}, 400),
        ({"invoiceId": NOBODYS_ID, "play": "exact", "amount": 1}, 400),
        ([], 400),
    ],
)
def test_an_invalid_sandbox_request_is_refused(api, follow, body, status):
    assert api.post("/api/sandbox/pay", body).status_code == status
    assert follow == []


def test_the_sandbox_is_not_found_where_the_shop_takes_real_money(api, follow, settings):
    settings.SANDBOX = False
    option = OptionFactory()

    answer = api.post("/api/sandbox/pay", {"invoiceId": str(option.invoice_id), "play": "exact"})

    assert answer.status_code == 404
    assert not Payment.objects.exists()
