"""Staff draft a payout from the page of an invoice."""

from decimal import Decimal

import pytest

from payments.admin.tests.payout_pages import draft_path, page_of, paid, payout_of
from payments.models import Payout
from payments.tests.factories import DUE, PaymentFactory, PayoutFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


def test_a_payout_is_drafted_from_the_invoice(grace):
    invoice = paid()
    PayoutFactory(invoice=invoice, amount_base=1_000, status="sent")
    page = grace.get(draft_path(invoice)).content.decode()
    for words in ("0.00200000 BTC", "0.00001000 BTC (Sent)", "at most 0.00199000 BTC"):
        assert words in page

    page = grace.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.0005", "reason": "a scratch"}, follow=True)

    payout = Payout.objects.get(status="draft")
    assert (payout.amount_base, payout.kind, payout.created_by, payout.reason) == (50_000, "refund", "grace", "a scratch")
    assert page.redirect_chain[-1][0] == page_of(payout)


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("0.00200001", "Between 0.00000547 and 0.00200000 BTC"),
        ("0.000000001", "At most 8 decimal places"),
        ("0", "Between"),
        ("-1", "greater than"),
    ],
)
def test_an_amount_that_cannot_be_refunded_is_refused_and_stays_in_the_form(grace, amount, says):
    answer = grace.post(draft_path(paid()), {"network": "BTC", "unit": "coins", "amount": amount, "reason": "a scratch"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert says in page
    assert f'value="{amount}"' in page
    assert not Payout.objects.exists()


@pytest.mark.parametrize(
    ("network", "amount", "base"),
    [("BTC", "20.00", 40_000), ("BTC", "0.99", 1_980), ("BTC-LN", "0.99", 1_980_000), ("BTC", "100", 200_000)],
)
def test_an_amount_in_the_shops_currency_is_converted_at_the_current_rate(grace, settings, network, amount, base):
    settings.LND_HOST = "127.0.0.1:10009"
    grace.post(draft_path(paid()), {"network": network, "unit": "fiat", "amount": amount, "reason": "a scratch"})
    payout = Payout.objects.get()
    assert (payout.network, payout.amount_base) == (network, base)


def test_an_amount_in_fiat_above_the_received_money_is_refused(grace, settings):
    settings.FIXED_RATES = {"BTC": Decimal("49000.00")}
    answer = grace.post(draft_path(paid()), {"network": "BTC", "unit": "fiat", "amount": "98.01", "reason": "a scratch"})
    assert "today worth $98.00" in answer.content.decode()
    assert "Between" in answer.content.decode()
    assert not Payout.objects.exists()


def test_without_a_fresh_rate_the_amount_must_be_entered_in_coins(grace, settings):
    settings.FIXED_RATES = {}
    invoice = paid()
    answer = grace.post(draft_path(invoice), {"network": "BTC", "unit": "fiat", "amount": "20.00", "reason": "a scratch"})
    assert (answer.status_code, "Enter the amount in coins" in answer.content.decode()) == (400, True)
    assert "today worth" not in answer.content.decode()
    grace.post(draft_path(invoice), {"network": "BTC", "unit": "coins", "amount": "0.0004", "reason": "a scratch"})
    assert Payout.objects.get().amount_base == 40_000


def test_an_invoice_in_another_currency_than_the_shops_can_be_refunded_only_in_coins(grace):
    invoice = paid(option__invoice__currency="EUR")
    page = grace.get(draft_path(invoice)).content.decode()
    assert "at today" not in page
    assert "today worth" not in page
    assert grace.post(draft_path(invoice), {"network": "BTC", "unit": "fiat", "amount": "20", "reason": "a scratch"}).status_code == 400


def test_an_amount_with_more_decimals_than_the_currency_has_is_refused(grace):
    answer = grace.post(draft_path(paid()), {"network": "BTC", "unit": "fiat", "amount": "1.001", "reason": "a scratch"})
    assert "At most 2 decimal places." in answer.content.decode()


@pytest.mark.parametrize(("lnd_host", "offered"), [("", ["BTC"]), ("127.0.0.1:10009", ["BTC", "BTC-LN"])])
def test_a_refund_over_lightning_is_offered_only_with_a_lightning_node(grace, settings, lnd_host, offered):
    settings.LND_HOST, settings.BITCOIN_RPC_HOST = lnd_host, "127.0.0.1"
    form = grace.get(draft_path(paid())).context["form"]
    assert [network for network, _ in form.fields["network"].choices] == offered


def test_late_money_of_an_invoice_that_has_settled_cannot_be_drafted(grace):
    answer = grace.get(draft_path(paid(amount_base=DUE * 2), "late"), follow=True)
    assert "has settled, so its money is no longer late" in answer.content.decode()


def test_a_lightning_amount_with_a_fraction_of_a_satoshi_is_refused(grace, settings):
    settings.LND_HOST = "127.0.0.1:10009"
    answer = grace.post(draft_path(paid()), {"network": "BTC-LN", "unit": "coins", "amount": "0.00100000001", "reason": "a scratch"})
    assert "whole satoshis" in answer.content.decode()
    assert not Payout.objects.exists()


def test_a_draft_without_a_reason_is_refused(grace):
    assert grace.post(draft_path(paid()), {"network": "BTC", "unit": "coins", "amount": "0.001"}).status_code == 400


def test_an_unknown_kind_of_payout_is_not_found(grace):
    assert grace.get(draft_path(paid(), "present")).status_code == 404


def test_an_invoice_without_settled_money_has_nothing_to_draft(grace):
    page = grace.get(draft_path(PaymentFactory(status="seen").invoice), follow=True)
    assert "no settled money" in page.content.decode()


@pytest.mark.parametrize(
    ("status", "amount", "shown"),
    [
        ("settled", DUE, {"refund"}),
        ("settled", DUE * 2, {"excess", "refund"}),
        *((status, DUE // 2, {"late"}) for status in ("expired", "cancelled", "invalid")),
        *((status, DUE // 2, set()) for status in ("new", "processing")),
    ],
)
def test_an_invoice_page_shows_only_the_kinds_of_payout_that_are_possible(grace, status, amount, shown):
    invoice = paid(status, amount_base=amount)
    page = grace.get(f"/admin/payments/invoice/{invoice.pk}/change/").content.decode()
    assert {kind for kind in ("excess", "late", "refund") if draft_path(invoice, kind) in page} == shown


def test_a_fully_refunded_invoice_shows_no_draft_button(grace):
    payout = payout_of(status="sent")
    assert "/payout/draft/" not in grace.get(f"/admin/payments/invoice/{payout.invoice_id}/change/").content.decode()
