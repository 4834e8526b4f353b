"""A fresh quote: what counts stays, what came late is taken at the rate of now, and only what is missing is asked for."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cryptons.events.models import Event
from payments.errors import InvoiceMoved, LateMoneyRefused, NetworkNotOffered, QuoteRefused
from payments.invoices.requoting import MOST_QUOTES, prepare_quote, preview_quote, requote
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment
from payments.sync.facts import mark_dirty
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, OptionFactory, PaymentFactory, PayoutFactory
from payments.tests.subjects import RecordingSubject

pytestmark = pytest.mark.django_db

SOON = NOW + timedelta(minutes=5)
TOO_LATE = EXPIRY + timedelta(minutes=61)
"""Beyond the grace: money that comes now is not accepted automatically."""


@pytest.fixture(autouse=True)
def _rates(settings):
    settings.SANDBOX = True
    settings.FIXED_RATES = {"BTC": Decimal("50000.00"), "LTC": Decimal("80.00")}
    CursorFactory()


def cheaper(settings, price="25000.00"):
    settings.FIXED_RATES = {**settings.FIXED_RATES, "BTC": Decimal(price)}


def quote_anew(invoice_id, network="BTC", *, at=SOON, **more):
    return requote(prepare_quote(invoice_id, network, at=at), at=at, **more)


def newest():
    return Option.objects.latest("created_at")


def state():
    invoice = Invoice.objects.get()
    return invoice.status, invoice.flags


def test_a_new_quote_in_another_coin_keeps_the_old_destination_open():
    old = OptionFactory()

    assert quote_anew(old.invoice_id, "LTC").status == "new"

    new = newest()
    assert (new.network, new.due_base, new.minor_per_coin, new.created_at) == ("LTC", 125_000_000, Decimal(8000), SOON)
    assert Option.objects.filter(pk=old.pk, expires_at=EXPIRY, is_closed=False).exists()
    invoice = Invoice.objects.get()
    assert (invoice.expires_at, invoice.monitor_until) == (SOON + timedelta(minutes=15), SOON + timedelta(days=30, minutes=15))


def test_a_new_quote_is_recorded_as_an_event_with_its_actor():
    quote_anew(OptionFactory().invoice_id, actor="grace")
    event = Event.objects.get()
    assert (event.type, event.actor) == ("invoice.updated", "grace")
    assert event.data["quotes"] == [{"network": "BTC", "amount": "0.00200000"}]


def test_a_new_quote_opens_an_expired_invoice_again():
    option = OptionFactory()
    settle(option.invoice_id, at=EXPIRY)
    assert state() == ("expired", frozenset())

    quote_anew(option.invoice_id, at=TOO_LATE)

    assert state() == ("new", frozenset())
    assert list(Event.objects.order_by("seq").values_list("type", flat=True)) == ["invoice.expired", "invoice.new"]
    assert settle(option.invoice_id, at=TOO_LATE + timedelta(minutes=14)).status == "new"
    assert settle(option.invoice_id, at=TOO_LATE + timedelta(minutes=15)).status == "expired"


def test_the_old_quote_stays_valid_until_it_expires(settings):
    """A buyer who has already scanned the old code pays at its rate, even when the rate has changed."""
    old = OptionFactory()
    cheaper(settings)
    quote_anew(old.invoice_id)

    PaymentFactory(option=old, first_seen_at=EXPIRY, height=TIP - 1)

    assert (settle(old.invoice_id, at=EXPIRY).status, *state()) == ("settled", "settled", frozenset())


def test_money_for_an_expired_quote_is_late_and_waits_for_a_decision(settings):
    old = OptionFactory()
    cheaper(settings)
    quote_anew(old.invoice_id, at=EXPIRY)

    payment = PaymentFactory(option=old, first_seen_at=EXPIRY + timedelta(seconds=1), height=TIP - 1)
    settle(old.invoice_id, at=EXPIRY + timedelta(minutes=1))

    payment.refresh_from_db()
    assert (state(), payment.late) == (("new", {"late"}), "waiting")


def test_a_punctual_part_keeps_its_rate_and_the_rest_is_quoted_at_the_new_rate(settings):
    old = PaymentFactory(amount_base=DUE // 2, height=TIP - 1).option
    settle(old.invoice_id, at=EXPIRY)
    cheaper(settings)

    quote_anew(old.invoice_id, at=TOO_LATE)

    assert newest().due_base == DUE
    assert Payment.objects.get().minor_per_coin is None
    PaymentFactory(option=newest(), amount_base=DUE, first_seen_at=TOO_LATE, height=TIP - 1)
    assert (settle(old.invoice_id, at=TOO_LATE).status, state()[1]) == ("settled", frozenset())


def test_a_new_quote_accepts_late_money_at_the_current_rate(settings):
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1)
    settle(payment.invoice_id, at=TOO_LATE)
    assert state() == ("expired", {"late"})
    cheaper(settings)

    quote_anew(payment.invoice_id, "LTC", at=TOO_LATE)

    payment.refresh_from_db()
    assert (payment.late, payment.minor_per_coin) == ("accepted", Decimal(2_500_000))
    assert (newest().network, newest().due_base) == ("LTC", 62_500_000)
    assert state() == ("new", {"late"})
    assert not Invoice.objects.get().needs_decision
    PaymentFactory(option=newest(), amount_base=62_500_000, first_seen_at=TOO_LATE, is_safe=True)
    assert settle(payment.invoice_id, at=TOO_LATE).status == "settled"


def test_late_money_that_is_enough_settles_without_a_new_destination():
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1)
    settle(payment.invoice_id, at=TOO_LATE)

    quote = prepare_quote(payment.invoice_id, "BTC", at=TOO_LATE)
    assert quote.offers == ()
    requote(quote, at=TOO_LATE)

    assert (state(), Option.objects.count()) == (("settled", {"late"}), 1)
    assert Event.objects.latest("seq").data["acceptedLate"] == [payment.reference]
    assert Invoice.objects.get().expires_at == EXPIRY


def test_late_money_within_the_tolerance_is_enough(settings):
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1)
    cheaper(settings, "49750.00")
    assert preview_quote(payment.invoice_id, at=TOO_LATE).is_enough
    cheaper(settings, "49749.99")
    assert not preview_quote(payment.invoice_id, at=TOO_LATE).is_enough


def test_late_money_is_valued_at_the_current_rate_even_when_it_has_risen():
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1, option__minor_per_coin=Decimal(2_500_000))
    quote_anew(payment.invoice_id, at=TOO_LATE)
    assert (state(), Invoice.objects.get().paid_safe_minor) == (("settled", {"late"}), 10_000)


def test_late_money_that_has_vanished_is_not_accepted():
    payment = PaymentFactory(first_seen_at=TOO_LATE, is_present=False)
    quote_anew(payment.invoice_id, at=TOO_LATE)
    payment.refresh_from_db()
    assert (payment.late, newest().due_base) == ("", DUE)


def test_money_that_came_meanwhile_is_evaluated_before_a_new_quote():
    payment = PaymentFactory()
    mark_dirty([payment.invoice_id])
    with pytest.raises(QuoteRefused, match="already paid"):
        prepare_quote(payment.invoice_id, "BTC", at=SOON)


def test_an_invoice_of_another_currency_gets_no_new_quote_because_there_are_no_rates_for_it(settings):
    option = OptionFactory()
    settings.CURRENCY, settings.FIXED_RATES = "EUR", {"BTC": Decimal(40_000)}
    with pytest.raises(QuoteRefused, match="another currency"):
        prepare_quote(option.invoice_id, "BTC", at=TOO_LATE)


@pytest.mark.parametrize("status", ["processing", "settled", "cancelled", "invalid"])
def test_a_paid_or_closed_invoice_gets_no_new_quote(status):
    option = OptionFactory()
    Invoice.objects.update(status=status)
    with pytest.raises(QuoteRefused):
        preview_quote(option.invoice_id, at=SOON)


def test_a_quote_that_is_refused_for_a_refund_writes_nothing():
    """Not even the verdict that the refund has changed: half of the money that was too much is on its way back."""
    payment = PaymentFactory(amount_base=2 * DUE, first_seen_at=TOO_LATE, height=TIP - 1)
    settle(payment.invoice_id, at=TOO_LATE)
    PayoutFactory(invoice=payment.invoice, kind="late", amount_base=2 * DUE)
    before = Invoice.objects.values().get()

    with pytest.raises(QuoteRefused, match="being refunded"):
        prepare_quote(payment.invoice_id, "BTC", at=TOO_LATE)

    assert Invoice.objects.values().get() == before


@pytest.mark.parametrize("status", ["draft", "approved", "sending", "sent", "unknown"])
def test_an_invoice_whose_money_is_being_refunded_gets_no_new_quote(status):
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1)
    settle(payment.invoice_id, at=TOO_LATE)
    quote = prepare_quote(payment.invoice_id, "BTC", at=TOO_LATE)
    PayoutFactory(invoice=payment.invoice, status=status)

    with pytest.raises(QuoteRefused, match="being refunded"):
        requote(quote, at=TOO_LATE)
    with pytest.raises(QuoteRefused, match="being refunded"):
        prepare_quote(payment.invoice_id, "BTC", at=TOO_LATE)

    assert state() == ("expired", {"late"})


@pytest.mark.parametrize("status", ["failed", "withdrawn"])
def test_a_failed_or_withdrawn_payout_does_not_prevent_a_new_quote(status):
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1)
    PayoutFactory(invoice=payment.invoice, status=status)
    assert quote_anew(payment.invoice_id, at=TOO_LATE).status == "settled"


def test_an_invoice_gets_at_most_ten_quotes():
    option = OptionFactory()
    for minute in range(MOST_QUOTES - 1):
        quote_anew(option.invoice_id, "LTC", at=NOW + timedelta(minutes=1 + minute))
    with pytest.raises(QuoteRefused, match="10 quotes"):
        prepare_quote(option.invoice_id, "LTC", at=SOON)
    assert Option.objects.count() == MOST_QUOTES


def test_the_second_of_two_simultaneous_quotes_is_refused():
    option = OptionFactory()
    first, second = (prepare_quote(option.invoice_id, network, at=SOON) for network in ("BTC", "LTC"))
    requote(first, at=SOON)
    with pytest.raises(InvoiceMoved):
        requote(second, at=SOON)


def test_a_quote_is_refused_when_a_payment_came_while_it_was_prepared():
    option = OptionFactory()
    quote = prepare_quote(option.invoice_id, "BTC", at=SOON)
    mark_dirty([option.invoice_id])
    with pytest.raises(InvoiceMoved):
        requote(quote, at=SOON)


@pytest.mark.django_db(transaction=True)
def test_no_new_quote_is_made_when_the_shop_refuses_late_money(monkeypatch):
    payment = PaymentFactory(first_seen_at=TOO_LATE, height=TIP - 1)
    settle(payment.invoice_id, at=TOO_LATE)
    monkeypatch.setattr("payments.subject._registered", [RecordingSubject(refusal="sold out")])
    with pytest.raises(LateMoneyRefused, match="sold out"):
        quote_anew(payment.invoice_id, at=TOO_LATE)
    payment.refresh_from_db()
    assert (state(), payment.late, payment.minor_per_coin) == (("expired", {"late"}), "waiting", None)


@pytest.mark.parametrize(("network", "due"), [("BTC", 547), ("LTC", 75_000)])
def test_a_rest_that_cannot_be_sent_is_raised_to_the_smallest_amount_that_can(network, due):
    """0.06 of 10.00 is more than the cap of the tolerance, and 120 satoshis less than a payment on the chain can be."""
    payment = PaymentFactory(
        amount_base=19_880, option__due_base=20_000, option__invoice__price_minor=1_000, option__invoice__tolerance_cap_minor=1
    )
    settle(payment.invoice_id, at=EXPIRY)
    assert prepare_quote(payment.invoice_id, network, at=SOON).offers[0].due_base == due


def test_a_rest_that_cannot_be_sent_is_enough_within_the_cap_of_the_tolerance():
    payment = PaymentFactory(amount_base=19_880, option__due_base=20_000, option__invoice__price_minor=1_000)
    assert settle(payment.invoice_id, at=EXPIRY).status == "processing"


def test_an_order_that_is_too_small_for_the_coin_gets_no_quote():
    option = OptionFactory(due_base=500, invoice__price_minor=20)
    with pytest.raises(QuoteRefused, match="too small for a payment in Bitcoin"):
        prepare_quote(option.invoice_id, "BTC", at=SOON)


def test_a_network_that_the_shop_does_not_take_gets_no_quote():
    with pytest.raises(NetworkNotOffered):
        prepare_quote(OptionFactory().invoice_id, "BTC-LN", at=SOON)
