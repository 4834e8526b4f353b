from datetime import timedelta
from decimal import Decimal

import pytest

from payments.invoices.buyer_view import read_buyer_view, view_new_quote
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db


def test_the_buyer_view_costs_one_query(django_assert_num_queries):
    CursorFactory()
    payment = PaymentFactory(height=TIP)
    with django_assert_num_queries(1):
        assert read_buyer_view(payment.invoice_id).confirmations == 1


def test_a_new_quote_looks_as_it_does_when_it_is_read():
    chain = OptionFactory()
    lightning = OptionFactory(invoice=chain.invoice, network="BTC-LN", destination="ab" * 32, payment_request="lnbcrt1new")
    for options in ([chain], [chain, lightning]):
        Option.objects.exclude(pk__in=[option.pk for option in options]).delete()
        shown, read = view_new_quote(chain.invoice, options), read_buyer_view(chain.invoice_id)
        assert shown.uri == read.uri
        assert all(getattr(read, name) == value for name, value in vars(shown).items())
        lightning.save()


def test_the_newest_option_is_shown():
    old = OptionFactory()
    new = OptionFactory(invoice=old.invoice, network="LTC", destination="rltc1qnew", created_at=NOW + timedelta(minutes=1))
    progress = read_buyer_view(old.invoice_id)
    assert (progress.network, progress.address) == ("LTC", new.destination)


def test_the_payment_with_the_fewest_confirmations_counts():
    CursorFactory()
    option = PaymentFactory(height=TIP - 3).option
    PaymentFactory(option=option, height=TIP - 1)
    assert read_buyer_view(option.invoice_id).confirmations == 2
    PaymentFactory(option=option, height=None)
    assert read_buyer_view(option.invoice_id).confirmations == 0


def test_a_vanished_payment_has_no_confirmations():
    CursorFactory()
    payment = PaymentFactory(height=TIP, is_present=False)
    assert read_buyer_view(payment.invoice_id).confirmations == 0


def test_after_a_partial_payment_only_the_rest_is_requested():
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=NOW)
    progress = read_buyer_view(payment.invoice_id)
    assert (progress.remaining_base, progress.remaining_text) == (DUE // 2, "0.00100000")
    assert "amount=0.001&" in progress.uri


@pytest.mark.parametrize(("missing", "asked"), [(1, 547), (546, 547), (547, 547), (548, 548)])
def test_the_buyer_is_never_asked_for_an_amount_that_cannot_be_sent(missing, asked):
    """With no tolerance at all. The rate makes a satoshi one cent."""
    invoice = InvoiceFactory(tolerance_cap_minor=0)
    option = OptionFactory(invoice=invoice, due_base=10_000, minor_per_coin=Decimal(100_000_000))
    payment = PaymentFactory(option=option, amount_base=10_000 - missing)
    settle(payment.invoice_id, at=NOW)
    view = read_buyer_view(payment.invoice_id)
    assert (view.status, view.remaining_minor, view.remaining_base) == ("new", missing, asked)


def lightning_option(option, **more):
    return OptionFactory(
        invoice=option.invoice, network="BTC-LN", destination="ab" * 32, payment_request="lnbcrt1code", due_base=DUE * 1000, **more
    )


def test_the_address_and_the_lightning_invoice_share_one_payment_uri():
    option = OptionFactory()
    lightning_option(option)
    progress = read_buyer_view(option.invoice_id)
    assert (progress.network, progress.address, progress.payment_request) == ("BTC", option.destination, "lnbcrt1code")
    assert progress.uri.startswith(f"bitcoin:{option.destination}?amount=0.002&")
    assert progress.uri.endswith("&lightning=lnbcrt1code")


def test_lightning_is_not_offered_after_a_partial_payment():
    """The Lightning invoice asks for the full price."""
    payment = PaymentFactory(amount_base=DUE // 2)
    lightning_option(payment.option)
    settle(payment.invoice_id, at=NOW)
    assert read_buyer_view(payment.invoice_id).payment_request == ""
    assert "lightning" not in read_buyer_view(payment.invoice_id).uri


def test_the_lightning_invoice_of_an_older_quote_is_not_shown():
    old = OptionFactory()
    lightning_option(old)
    OptionFactory(invoice=old.invoice, network="LTC", destination="rltc1qnew", created_at=NOW + timedelta(minutes=1))
    assert read_buyer_view(old.invoice_id).payment_request == ""


def test_lightning_is_offered_again_after_a_new_quote_for_the_rest():
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


def test_a_newer_quote_in_lightning_alone_replaces_the_older_on_chain_quote():
    old = OptionFactory()
    lightning_option(old, created_at=NOW + timedelta(minutes=1))
    assert read_buyer_view(old.invoice_id).network == "BTC-LN"


def test_late_money_that_waits_for_a_decision_does_not_reduce_the_remaining_amount():
    payment = PaymentFactory(first_seen_at=EXPIRY + timedelta(hours=2))
    OptionFactory(invoice=payment.invoice, created_at=NOW + timedelta(minutes=1), expires_at=EXPIRY + timedelta(hours=3))
    Invoice.objects.update(expires_at=EXPIRY + timedelta(hours=3))
    settle(payment.invoice_id, at=EXPIRY + timedelta(hours=2))

    progress = read_buyer_view(payment.invoice_id)
    assert (progress.status, progress.counted_minor, progress.waiting_minor, progress.remaining_base) == ("new", 0, 10_000, DUE)

    Payment.objects.update(late="accepted", minor_per_coin=Decimal(2_500_000))
    progress = read_buyer_view(payment.invoice_id)
    assert (progress.counted_minor, progress.remaining_base) == (5_000, DUE // 2)


def test_a_payment_that_was_not_evaluated_yet_changes_nothing():
    payment = PaymentFactory(amount_base=DUE // 2)
    progress = read_buyer_view(payment.invoice_id)
    assert (progress.counted_minor, progress.waiting_minor, progress.remaining_base) == (0, 0, DUE)


def test_confirmations_are_counted_in_each_payments_own_chain():
    CursorFactory()
    CursorFactory(network="LTC", tip_height=50)
    payment = PaymentFactory(amount_base=DUE // 2, height=TIP)
    litecoin = OptionFactory(invoice=payment.invoice, network="LTC", destination="rltc1q", created_at=NOW + timedelta(minutes=1))
    PaymentFactory(option=litecoin, height=45)
    assert read_buyer_view(payment.invoice_id).confirmations == 1


def test_a_lightning_payment_is_confirmed_without_blocks():
    payment = PaymentFactory(option__network="BTC-LN", option__destination="ab" * 32, height=None, is_safe=True)
    assert read_buyer_view(payment.invoice_id).confirmations == 2


@pytest.mark.parametrize(
    ("status", "told"), [("draft", ("draft", "refund")), ("sent", ("sent", "refund")), ("failed", ("", "")), ("withdrawn", ("", ""))]
)
def test_a_payout_is_shown_unless_it_failed_or_was_withdrawn(status, told):
    option = OptionFactory()
    PayoutFactory(invoice=option.invoice, status=status)
    progress = read_buyer_view(option.invoice_id)
    assert (progress.payout_status, progress.payout_kind) == told


def test_an_invoice_in_lightning_alone_has_a_lightning_uri():
    option = OptionFactory(network="BTC-LN", destination="cd" * 32, payment_request="lnbcrt1alone", due_base=DUE * 1000)
    progress = read_buyer_view(option.invoice_id)
    assert (progress.network, progress.uri) == ("BTC-LN", "lightning:lnbcrt1alone")


def test_an_unknown_invoice_raises_does_not_exist():
    from cryptons.db import new_id

    with pytest.raises(Invoice.DoesNotExist):
        read_buyer_view(new_id())
