"""Payouts over the API: drafted and read by who may, agreed on by nobody."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.api.limits import forget_counts
from payments.models import Invoice, Payout
from payments.tests.factories import DUE, NOW, InvoiceFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    forget_counts()


def staff_who_may(*permissions):
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return staff


@pytest.fixture
def grace():
    return ApiClient(StaffFactory(username="grace"))


@pytest.fixture
def invoice():
    return PaymentFactory(status="settled", height=1, option__invoice__status="settled").invoice


def body(invoice, **more):
    return {"invoiceId": str(invoice.pk), "kind": "refund", "network": "BTC", "reason": "a scratch", **more}


@pytest.mark.parametrize(
    ("who", "status"), [(None, 401), (UserFactory, 403), (lambda: staff_who_may("view_payout", "change_payout", "view_invoice"), 403)]
)
def test_a_user_who_may_not_send_payouts_neither_reads_nor_drafts_them(invoice, who, status):
    api = ApiClient(who() if who else None)
    assert api.get("/api/payouts").status_code == status
    assert api.post("/api/payouts", body(invoice)).status_code == status
    assert not Payout.objects.exists()


def test_a_user_who_may_read_payments_reads_payouts_and_drafts_none(invoice):
    api = ApiClient(staff_who_may("view_payment"))
    assert api.get("/api/payouts").status_code == 200
    assert api.post("/api/payouts", body(invoice)).status_code == 403


def test_a_user_who_may_send_payouts_may_draft_one(invoice):
    answer = ApiClient(staff_who_may("add_payout")).post("/api/payouts", body(invoice, amount="0.0005"))
    assert answer.status_code == 201
    assert answer.json()["data"]["status"] == "draft"


def test_the_amounts_of_a_draft_are_decimal_strings(grace, invoice):
    data = grace.post("/api/payouts", body(invoice, destination=HOME)).json()["data"]

    assert (data["amount"], data["value"], data["currency"], data["rate"]) == ("0.00200000", "100.00", "USD", "50000.00")
    assert (data["destination"], data["reference"], data["fee"], data["sentAt"]) == (HOME, None, None, None)
    assert Payout.objects.get().created_by == "grace"


def test_a_repeated_idempotency_key_drafts_only_once(grace, invoice):
    wanted = body(invoice, amount="0.0005")
    answers = [grace.post("/api/payouts", wanted, HTTP_IDEMPOTENCY_KEY="one") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["data"] == answers[1].json()["data"]
    assert Payout.objects.count() == 1


def test_a_repeated_idempotency_key_with_another_amount_is_refused(grace, invoice):
    grace.post("/api/payouts", body(invoice, amount="0.0005"), HTTP_IDEMPOTENCY_KEY="one")
    assert grace.post("/api/payouts", body(invoice, amount="0.0006"), HTTP_IDEMPOTENCY_KEY="one").status_code == 422
    assert Payout.objects.count() == 1


def test_an_invoice_that_does_not_exist_is_not_found(grace):
    assert grace.post("/api/payouts", body(InvoiceFactory.build())).status_code == 404


@pytest.mark.parametrize("more", [{"amount": "0.00200001"}, {"amount": "0"}, {"amount": "-1"}, {"kind": "excess"}, {"network": "LTC"}])
def test_a_payout_that_its_kind_does_not_allow_is_a_conflict(grace, invoice, more):
    answer = grace.post("/api/payouts", body(invoice, **more))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert not Payout.objects.exists()


def test_the_same_money_cannot_be_drafted_twice(grace, invoice):
    assert grace.post("/api/payouts", body(invoice)).status_code == 201
    assert grace.post("/api/payouts", body(invoice)).status_code == 409


def test_an_excess_that_was_paid_out_cannot_be_drafted_again(grace):
    invoice = PaymentFactory(amount_base=DUE * 3 // 2, status="settled", height=1, option__invoice__status="settled").invoice
    assert grace.post("/api/payouts", body(invoice, kind="excess")).json()["data"]["amount"] == "0.00100000"
    Payout.objects.update(status="sent")
    assert grace.post("/api/payouts", body(invoice, kind="excess")).status_code == 409


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"amount": "much"}, "amount"),
        ({"amount": "0.000000001"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": 0.001}, "amount"),
        ({"destination": "no address!"}, "destination"),
        ({"network": "BTC-LN"}, "network"),
        ({"network": "DOGE"}, "network"),
        ({"kind": "present"}, "kind"),
        ({"reason": ""}, "reason"),
        ({"invoiceId": "x"}, "invoiceId"),
        ({"status": "sent"}, "status"),
    ],
)
def test_invalid_values_are_named_in_the_error(grace, invoice, more, field):
    answer = grace.post("/api/payouts", body(invoice, **more))
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]
    assert not Payout.objects.exists()


@pytest.mark.parametrize(("more", "field"), [({}, "amount"), ({"amount": "0.001"}, "destination")])
def test_a_lightning_invoice_needs_its_amount_and_is_checked(grace, invoice, settings, more, field):
    settings.LND_HOST = "127.0.0.1:10009"
    answer = grace.post("/api/payouts", body(invoice, network="BTC-LN", destination="lnbc1", **more))
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


def test_late_money_cannot_be_drafted_for_an_invoice_that_has_settled(grace, invoice):
    Invoice.objects.update(status="settled")
    answer = grace.post("/api/payouts", body(invoice, kind="late"))
    assert (answer.status_code, Payout.objects.count()) == (409, 0)
    assert "no longer late" in answer.json()["error"]["message"]


def test_the_list_is_filtered_by_status(grace):
    sent = PayoutFactory(status="sent")
    PayoutFactory(status="draft")
    assert [each["id"] for each in grace.get("/api/payouts?status=sent").json()["data"]] == [str(sent.pk)]
    assert len(grace.get("/api/payouts").json()["data"]) == 2


def test_the_list_is_filtered_by_network_order_and_day(grace):
    payout = PayoutFactory(network="LTC", invoice__label="order_ABC")
    PayoutFactory()
    for query in ("network=LTC", "order=ABC", "order=ABC&from=2026-11-01&to=2026-11-02"):
        assert [each["id"] for each in grace.get(f"/api/payouts?{query}").json()["data"]] == [str(payout.pk)]
    assert grace.get("/api/payouts?to=2026-11-01").json()["data"] == []


def test_payouts_are_exported_as_csv(grace):
    PayoutFactory(reference="f" * 64, status="sent", sent_at=NOW)
    answer = grace.get("/api/payouts?format=csv")
    lines = answer.getvalue().decode().splitlines()
    assert (len(lines), lines[0].startswith("time,kind,order"), "f" * 64 in lines[1]) == (2, True, True)


def test_an_invalid_status_is_refused(grace):
    assert grace.get("/api/payouts?status=lost").status_code == 400


def test_a_payout_cannot_be_approved_over_the_api(grace, invoice):
    grace.post("/api/payouts", body(invoice, destination=HOME))
    payout = Payout.objects.get()
    for path in (f"/api/payouts/{payout.pk}", f"/api/payouts/{payout.pk}/approve"):
        assert grace.post(path, {"status": "approved"}).status_code in (404, 405)
    assert Payout.objects.get().status == "draft"


def test_the_openapi_document_describes_reading_and_drafting_payouts(client):
    assert set(client.get("/api/schema").json()["paths"]["/api/payouts"]) == {"get", "post"}


@pytest.mark.parametrize(("blocked_by", "shown"), [("", None), ("cover", "cover"), ("fee", "fee")])
def test_the_list_says_why_a_payout_is_not_sent(grace, blocked_by, shown):
    PayoutFactory(status="approved", blocked_by=blocked_by)
    assert [row["blockedBy"] for row in grace.get("/api/payouts").json()["data"]] == [shown]
