"""How much of an invoice can be refunded, and what a draft of it is worth."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptons.money import UNITS
from payments.errors import PayoutRefused
from payments.invoices.refundable import in_base, left_of, most_of_kind, refundable
from payments.invoices.settlement import settle
from payments.models import Invoice, Payment, Payout
from payments.payouts.tests.payout_steps import draft, paid
from payments.sync.facts import mark_dirty
from payments.tests.factories import DUE, EXPIRY, NOW, CursorFactory, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


def test_all_settled_bitcoin_can_be_refunded_on_chain_or_over_lightning():
    assert refundable(paid().pk) == {"BTC": DUE, "BTC-LN": DUE * 1000}


def test_unconfirmed_money_cannot_be_refunded():
    assert refundable(PaymentFactory(status="seen").invoice_id) == {}


def test_money_in_a_draft_is_no_longer_refundable():
    invoice = paid()
    draft(invoice, amount_base=DUE // 2)
    assert refundable(invoice.pk)["BTC"] == DUE - DUE // 2


@pytest.mark.parametrize("status", ["failed", "withdrawn"])
def test_money_of_a_failed_or_withdrawn_payout_can_be_refunded_again(status):
    invoice = paid()
    PayoutFactory(invoice=invoice, status=status)
    assert refundable(invoice.pk)["BTC"] == DUE


@pytest.mark.parametrize("status", ["draft", "approved", "sending", "unknown", "sent"])
def test_money_that_was_or_may_have_been_sent_cannot_be_refunded_again(status):
    invoice = paid()
    PayoutFactory(invoice=invoice, status=status)
    assert refundable(invoice.pk) == {}


def test_an_excess_is_the_money_above_the_price():
    invoice = paid(DUE * 3 // 2)
    assert most_of_kind(invoice, "excess")["BTC"] == DUE // 2
    assert draft(invoice, kind="excess").amount_base == DUE // 2


def test_an_excess_can_be_refunded_only_once():
    invoice = paid(DUE * 3 // 2)
    draft(invoice, kind="excess")
    with pytest.raises(PayoutRefused):
        draft(invoice, kind="excess")
    assert most_of_kind(invoice, "refund")["BTC"] == DUE


@pytest.mark.parametrize(("later", "status"), [(DUE, "expired"), (DUE * 3 // 2, "settled")])
def test_a_refunded_excess_of_vanished_money_is_deducted_from_the_money_that_replaced_it(later, status):
    CursorFactory()
    invoice = paid(DUE * 3 // 2)
    settle(invoice.pk, at=NOW)
    payout = draft(invoice, kind="excess", destination="bcrt1qback")
    assert payout.amount_base == DUE // 2
    Payout.objects.update(status="sent")
    Payment.objects.update(is_present=False, is_conflicted=True, status="gone")
    PaymentFactory(option=payout.invoice.options.get(), amount_base=later, height=1)
    mark_dirty([invoice.pk])
    settle(invoice.pk, at=EXPIRY)
    invoice.refresh_from_db()
    assert (invoice.status, "reorged" in invoice.flags) == (status, status == "expired")


@pytest.mark.parametrize("status", ["draft", "approved"])
def test_an_excess_that_vanishes_before_it_is_sent_takes_nothing_from_the_order(status):
    """The order's own payment is safe: it stays settled, and less can be paid out."""
    CursorFactory()
    invoice = paid()
    over = PaymentFactory(option=invoice.options.get(), status="settled", height=1)
    settle(invoice.pk, at=NOW)
    payout = draft(invoice, kind="excess", destination="bcrt1qback")
    Payout.objects.update(status=status)
    Payment.objects.filter(pk=over.pk).update(is_present=False, is_conflicted=True)
    mark_dirty([invoice.pk])
    settle(invoice.pk, at=EXPIRY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.flags, most_of_kind(invoice, "excess", without=payout)) == ("settled", frozenset(), {})


def test_a_refunded_excess_of_money_that_is_still_there_does_not_unsettle_the_invoice():
    CursorFactory()
    invoice = paid(DUE * 3 // 2)
    settle(invoice.pk, at=NOW)
    draft(invoice, kind="excess", destination="bcrt1qback")
    PaymentFactory(option=invoice.options.get(), amount_base=DUE, is_present=False, is_conflicted=True, status="gone")
    mark_dirty([invoice.pk])
    settle(invoice.pk, at=EXPIRY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.flags) == ("settled", {"overpaid"})


def test_an_invoice_paid_exactly_has_no_excess_to_refund():
    with pytest.raises(PayoutRefused):
        draft(paid(), kind="excess")


@pytest.mark.parametrize("amount", [0, -1, 546, DUE + 1])
def test_an_amount_that_is_not_positive_or_dust_or_above_the_refundable_is_refused(amount):
    with pytest.raises(PayoutRefused):
        draft(paid(), amount_base=amount)


def test_a_draft_is_valued_at_the_current_rate(settings):
    settings.FIXED_RATES = {"BTC": Decimal("60000.00")}
    payout = draft(paid())
    assert (payout.amount_base, payout.value_minor, payout.rate_sources) == (DUE, 12_000, {"fixed": "60000.00"})


def test_without_a_rate_a_draft_is_valued_at_the_payments_own_rate(settings):
    settings.FIXED_RATES = {}
    assert draft(paid()).value_minor == 10_000


def test_a_draft_raises_the_version_of_its_invoice():
    invoice = paid()
    draft(invoice)
    assert Invoice.objects.get().version == invoice.version + 1


amounts = st.lists(st.tuples(st.sampled_from(["BTC", "BTC-LN", "LTC", "XRP"]), st.integers(0, 10**12)), max_size=6)


@given(amounts, amounts)
def test_refundable_and_refunded_money_never_exceed_the_received_money(received, paid_out):
    came, left = left_of(received, []), left_of(received, paid_out)
    went = left_of(paid_out, [])
    for coin, amount in left.items():
        assert amount >= 0
        assert amount == 0 or amount + went.get(coin, 0) == came[coin]


@given(st.fractions(0, 100), st.sampled_from(["BTC", "BTC-LN", "LTC", "XRP"]))
def test_a_refund_is_rounded_down_to_the_networks_smallest_unit(coins, network):
    back = Fraction(in_base(coins, network), UNITS[network].base_per_coin)
    assert coins - Fraction(1, UNITS["BTC" if network == "BTC-LN" else network].base_per_coin) < back <= coins


def test_money_in_litecoin_is_refundable_in_litecoin():
    option = OptionFactory(network="LTC", invoice=InvoiceFactory())
    PaymentFactory(option=option, network="LTC", status="settled", amount_base=10**8)
    assert refundable(option.invoice_id) == {"LTC": 10**8}
    assert Payment.objects.get().network == "LTC"


def test_an_excess_can_be_refunded_in_two_parts_but_no_more_than_once():
    invoice = paid(DUE * 3 // 2)
    draft(invoice, kind="excess", amount_base=DUE // 4)
    assert most_of_kind(invoice, "excess")["BTC"] == DUE // 4
    draft(invoice, kind="excess")
    with pytest.raises(PayoutRefused):
        draft(invoice, kind="excess", amount_base=1_000)


@pytest.mark.parametrize("status", ["new", "processing"])
def test_money_of_an_invoice_that_can_still_be_paid_cannot_be_refunded(status):
    invoice = PaymentFactory(amount_base=DUE // 2, status="settled", option__invoice__status=status).invoice
    with pytest.raises(PayoutRefused, match="can still be paid"):
        draft(invoice)
