from datetime import timedelta
from decimal import Decimal

import pytest

from payments.invoices.buyer_view import read_buyer_view
from payments.invoices.settlement import settle
from payments.models import Invoice, Payment
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db


def test_reading_costs_one_query(django_assert_num_queries):
    CursorFactory()
    payment = PaymentFactory(height=TIP)
    with django_assert_num_queries(1):
        assert read_buyer_view(payment.invoice_id).confirmations == 1


def test_the_newest_option_is_shown():
    old = OptionFactory()
    new = OptionFactory(invoice=old.invoice, network="LTC", destination="rltc1qnew", created_at=NOW + timedelta(minutes=1))
    progress = read_buyer_view(old.invoice_id)
    assert (progress.network, progress.address) == ("LTC", new.destination)


def test_confirmations_are_those_of_the_youngest_payment():
    CursorFactory()
    option = PaymentFactory(height=TIP - 3).option
    PaymentFactory(option=option, height=TIP - 1)
    assert read_buyer_view(option.invoice_id).confirmations == 2
    PaymentFactory(option=option, height=None)
    assert read_buyer_view(option.invoice_id).confirmations == 0


def test_money_that_is_gone_has_no_confirmations():
    CursorFactory()
    payment = PaymentFactory(height=TIP, is_present=False)
    assert read_buyer_view(payment.invoice_id).confirmations == 0


def test_the_rest_is_asked_for_after_a_part():
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=NOW)
    progress = read_buyer_view(payment.invoice_id)
    assert (progress.remaining_base, progress.remaining_text) == (DUE // 2, "0.00100000")
    assert "amount=0.001&" in progress.uri


def lightning_option(option, **more):
    return OptionFactory(
        invoice=option.invoice, network="BTC-LN", destination="ab" * 32, payment_request="lnbcrt1code", due_base=DUE * 1000, **more
    )


def test_chain_and_lightning_are_one_code():
    option = OptionFactory()
    lightning_option(option)
    progress = read_buyer_view(option.invoice_id)
    assert (progress.network, progress.address, progress.payment_request) == ("BTC", option.destination, "lnbcrt1code")
    assert progress.uri.startswith(f"bitcoin:{option.destination}?amount=0.002&")
    assert progress.uri.endswith("&lightning=lnbcrt1code")


def test_after_a_part_lightning_is_not_offered_any_more():
    """Its invoice asks for all."""
    payment = PaymentFactory(amount_base=DUE // 2)
    lightning_option(payment.option)
    settle(payment.invoice_id, at=NOW)
    assert read_buyer_view(payment.invoice_id).payment_request == ""
    assert "lightning" not in read_buyer_view(payment.invoice_id).uri


def test_lightning_of_an_older_quote_is_not_shown():
    old = OptionFactory()
    lightning_option(old)
    OptionFactory(invoice=old.invoice, network="LTC", destination="rltc1qnew", created_at=NOW + timedelta(minutes=1))
    assert read_buyer_view(old.invoice_id).payment_request == ""


def test_after_a_fresh_quote_for_the_rest_lightning_is_offered_again():
    payment = PaymentFactory(amount_base=DUE // 2)
    later = NOW + timedelta(minutes=1)
    rest = OptionFactory(invoice=payment.invoice, due_base=DUE // 2, created_at=later)
    OptionFactory(
        invoice=rest.invoice,
        network="BTC-LN",
        destination="ab" * 32,
        payment_request="lnbcrt1rest",
        due_base=DUE * 500,
        created_at=later,
    )
    settle(payment.invoice_id, at=NOW)
    assert read_buyer_view(payment.invoice_id).payment_request == "lnbcrt1rest"


def test_a_fresh_quote_in_lightning_alone_is_shown_although_the_chain_was_there_before():
    old = OptionFactory()
    lightning_option(old, created_at=NOW + timedelta(minutes=1))
    assert read_buyer_view(old.invoice_id).network == "BTC-LN"


def test_money_that_waits_for_a_decision_pays_nothing_yet():
    payment = PaymentFactory(first_seen_at=EXPIRY + timedelta(hours=2))
    OptionFactory(invoice=payment.invoice, created_at=NOW + timedelta(minutes=1), expires_at=EXPIRY + timedelta(hours=3))
    Invoice.objects.update(expires_at=EXPIRY + timedelta(hours=3))
    settle(payment.invoice_id, at=EXPIRY + timedelta(hours=2))

    progress = read_buyer_view(payment.invoice_id)
    assert (progress.status, progress.counted_minor, progress.waiting_minor, progress.remaining_base) == ("new", 0, 10_000, DUE)

    Payment.objects.update(late="accepted", minor_per_coin=Decimal(2_500_000))
    progress = read_buyer_view(payment.invoice_id)
    assert (progress.counted_minor, progress.remaining_base) == (5_000, DUE // 2)


def test_a_fact_that_no_verdict_has_weighed_changes_nothing_yet():
    payment = PaymentFactory(amount_base=DUE // 2)
    progress = read_buyer_view(payment.invoice_id)
    assert (progress.counted_minor, progress.waiting_minor, progress.remaining_base) == (0, 0, DUE)


def test_each_payment_is_as_deep_as_in_its_own_chain():
    CursorFactory()
    CursorFactory(network="LTC", tip_height=50)
    payment = PaymentFactory(amount_base=DUE // 2, height=TIP)
    litecoin = OptionFactory(invoice=payment.invoice, network="LTC", destination="rltc1q", created_at=NOW + timedelta(minutes=1))
    PaymentFactory(option=litecoin, height=45)
    assert read_buyer_view(payment.invoice_id).confirmations == 1


def test_what_is_safe_by_its_networks_word_needs_no_blocks():
    payment = PaymentFactory(option__network="BTC-LN", option__destination="ab" * 32, height=None, is_safe=True)
    assert read_buyer_view(payment.invoice_id).confirmations == 2


@pytest.mark.parametrize(
    ("status", "told"), [("draft", ("draft", "refund")), ("sent", ("sent", "refund")), ("failed", ("", "")), ("withdrawn", ("", ""))]
)
def test_a_payout_is_told_while_it_may_happen(status, told):
    option = OptionFactory()
    PayoutFactory(invoice=option.invoice, status=status)
    progress = read_buyer_view(option.invoice_id)
    assert (progress.payout_status, progress.payout_kind) == told


def test_lightning_alone_is_a_code_of_its_own():
    option = OptionFactory(network="BTC-LN", destination="cd" * 32, payment_request="lnbcrt1alone", due_base=DUE * 1000)
    progress = read_buyer_view(option.invoice_id)
    assert (progress.network, progress.uri) == ("BTC-LN", "lightning:lnbcrt1alone")


def test_an_unknown_invoice_does_not_exist():
    from cryptons.db import new_id

    with pytest.raises(Invoice.DoesNotExist):
        read_buyer_view(new_id())
