from datetime import timedelta

import pytest

from payments.models import Invoice
from payments.progress import read_progress
from payments.settlement import settle
from payments.tests.factories import DUE, NOW, TIP, CursorFactory, OptionFactory, PaymentFactory

pytestmark = pytest.mark.django_db


def test_reading_costs_one_query(django_assert_num_queries):
    CursorFactory()
    payment = PaymentFactory(height=TIP)
    with django_assert_num_queries(1):
        assert read_progress(payment.invoice_id).confirmations == 1


def test_the_newest_option_is_shown():
    old = OptionFactory()
    new = OptionFactory(invoice=old.invoice, network="LTC", destination="rltc1qnew", created_at=NOW + timedelta(minutes=1))
    progress = read_progress(old.invoice_id)
    assert (progress.network, progress.address) == ("LTC", new.destination)


def test_confirmations_are_those_of_the_youngest_payment():
    CursorFactory()
    option = PaymentFactory(height=TIP - 3).option
    PaymentFactory(option=option, height=TIP - 1)
    assert read_progress(option.invoice_id).confirmations == 2
    PaymentFactory(option=option, height=None)
    assert read_progress(option.invoice_id).confirmations == 0


def test_money_that_is_gone_has_no_confirmations():
    CursorFactory()
    payment = PaymentFactory(height=TIP, is_present=False)
    assert read_progress(payment.invoice_id).confirmations == 0


def test_the_rest_is_asked_for_after_a_part():
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=NOW)
    progress = read_progress(payment.invoice_id)
    assert (progress.remaining_base, progress.remaining_text) == (DUE // 2, "0.00100000")
    assert "amount=0.001&" in progress.uri


def lightning_option(option, **more):
    return OptionFactory(
        invoice=option.invoice, network="BTC-LN", destination="ab" * 32, payment_request="lnbcrt1code", due_base=DUE * 1000, **more
    )


def test_chain_and_lightning_are_one_code():
    option = OptionFactory()
    lightning_option(option)
    progress = read_progress(option.invoice_id)
    assert (progress.network, progress.address, progress.payment_request) == ("BTC", option.destination, "lnbcrt1code")
    assert progress.uri.startswith(f"bitcoin:{option.destination}?amount=0.002&")
    assert progress.uri.endswith("&lightning=lnbcrt1code")


def test_after_a_part_lightning_is_not_offered_any_more():
    """Its invoice asks for all."""
    payment = PaymentFactory(amount_base=DUE // 2)
    lightning_option(payment.option)
    settle(payment.invoice_id, at=NOW)
    assert read_progress(payment.invoice_id).payment_request == ""
    assert "lightning" not in read_progress(payment.invoice_id).uri


def test_lightning_of_an_older_quote_is_not_shown():
    old = OptionFactory()
    lightning_option(old)
    OptionFactory(invoice=old.invoice, network="LTC", destination="rltc1qnew", created_at=NOW + timedelta(minutes=1))
    assert read_progress(old.invoice_id).payment_request == ""


def test_lightning_alone_is_a_code_of_its_own():
    option = OptionFactory(network="BTC-LN", destination="cd" * 32, payment_request="lnbcrt1alone", due_base=DUE * 1000)
    progress = read_progress(option.invoice_id)
    assert (progress.network, progress.uri) == ("BTC-LN", "lightning:lnbcrt1alone")


def test_an_unknown_invoice_does_not_exist():
    from cryptons.db import new_id

    with pytest.raises(Invoice.DoesNotExist):
        read_progress(new_id())
