"""Money that goes back: how much may, who must agree, what stands in the log."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from cryptons.events.models import Event
from payments.confirmations import missing_confirmations
from payments.errors import PayoutMoved, PayoutRefused
from payments.invoices.refundable import in_base, left_of, most_of_kind, refundable
from payments.invoices.settlement import settle
from payments.models import Invoice, Payment, Payout, Rate
from payments.payouts.workflow import approve_payout, draft_payout, move_payout, record_sent_by_hand, set_destination, withdraw_payout
from payments.sync.facts import mark_dirty
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000), Decimal(5000), Decimal(100)


def paid(amount=DUE, **more):
    """An invoice over 100.00 with settled money."""
    return PaymentFactory(amount_base=amount, status="settled", height=1, option__invoice__status="settled", **more).invoice


def draft(invoice, **more):
    return draft_payout(invoice.pk, **{"kind": "refund", "network": "BTC", "actor": "grace", "at": NOW, **more})


def approved(invoice, **more):
    payout = draft(invoice, destination="bcrt1qback", **more)
    return approve_payout(payout.pk, actor="grace", at=NOW)


# --- How deep --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "missing"), [(TIP, 5), (TIP - 4, 1), (TIP - 5, 0)])
def test_much_more_than_the_price_goes_back_only_once_it_is_as_deep_as_a_price_of_its_own(height, missing):
    CursorFactory()
    invoice = paid(DUE * 11, option__invoice__confirmations_needed=1)
    Payment.objects.update(height=height)
    settle(invoice.pk, at=NOW)
    payout = draft(invoice, kind="excess", destination="bcrt1qback", amount_base=DUE)
    if missing:
        with pytest.raises(PayoutRefused, match=f"needs {missing} more confirmation"):
            approve_payout(payout.pk, actor="grace", at=NOW)
    else:
        assert approve_payout(payout.pk, actor="grace", at=NOW).status == "approved"


@pytest.mark.parametrize("network", ["BTC-LN", "XRP"])
def test_what_is_final_by_its_networks_word_needs_no_depth(network):
    invoice = paid(10**12, network=network, option__network=network, is_final=True)
    Invoice.objects.update(paid_safe_minor=10**9)
    assert missing_confirmations(invoice) == 0


# --- How much -----------------------------------------------------------------------------------------------------------------


def test_all_settled_money_can_go_back_over_chain_or_lightning():
    assert refundable(paid().pk) == {"BTC": DUE, "BTC-LN": DUE * 1000}


def test_money_that_is_only_seen_cannot_go_back():
    assert refundable(PaymentFactory(status="seen").invoice_id) == {}


def test_what_was_promised_is_no_longer_there():
    invoice = paid()
    draft(invoice, amount_base=DUE // 2)
    assert refundable(invoice.pk)["BTC"] == DUE - DUE // 2


@pytest.mark.parametrize("status", ["failed", "withdrawn"])
def test_what_did_not_go_can_go_again(status):
    invoice = paid()
    PayoutFactory(invoice=invoice, status=status)
    assert refundable(invoice.pk)["BTC"] == DUE


@pytest.mark.parametrize("status", ["draft", "approved", "sending", "unknown", "sent"])
def test_what_went_or_may_have_gone_cannot_go_again(status):
    invoice = paid()
    PayoutFactory(invoice=invoice, status=status)
    assert refundable(invoice.pk) == {}


def test_an_excess_is_what_lies_beyond_the_price():
    invoice = paid(DUE * 3 // 2)
    assert most_of_kind(invoice, "excess")["BTC"] == DUE // 2
    assert draft(invoice, kind="excess").amount_base == DUE // 2


def test_an_excess_goes_back_once():
    invoice = paid(DUE * 3 // 2)
    draft(invoice, kind="excess")
    with pytest.raises(PayoutRefused):
        draft(invoice, kind="excess")
    assert most_of_kind(invoice, "refund")["BTC"] == DUE


@pytest.mark.parametrize(("later", "status"), [(DUE, "expired"), (DUE * 3 // 2, "settled")])
def test_an_excess_that_went_back_of_money_that_is_gone_is_taken_from_what_came_instead(later, status):
    CursorFactory()
    invoice = paid(DUE * 3 // 2)
    settle(invoice.pk, at=NOW)
    payout = draft(invoice, kind="excess", destination="bcrt1qback")
    assert payout.amount_base == DUE // 2
    Payment.objects.update(is_present=False, is_conflicted=True, status="gone")
    PaymentFactory(option=payout.invoice.options.get(), amount_base=later, height=1)
    mark_dirty([invoice.pk])
    settle(invoice.pk, at=EXPIRY)
    invoice.refresh_from_db()
    assert (invoice.status, "reorged" in invoice.flags) == (status, status == "expired")


def test_an_excess_that_went_back_of_money_that_is_there_changes_nothing():
    CursorFactory()
    invoice = paid(DUE * 3 // 2)
    settle(invoice.pk, at=NOW)
    draft(invoice, kind="excess", destination="bcrt1qback")
    PaymentFactory(option=invoice.options.get(), amount_base=DUE, is_present=False, is_conflicted=True, status="gone")
    mark_dirty([invoice.pk])
    settle(invoice.pk, at=EXPIRY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.flags) == ("settled", {"overpaid"})


def test_the_exact_price_leaves_no_excess():
    with pytest.raises(PayoutRefused):
        draft(paid(), kind="excess")


@pytest.mark.parametrize("amount", [0, -1, 546, DUE + 1])
def test_amounts_that_cannot_go_back_are_refused(amount):
    with pytest.raises(PayoutRefused):
        draft(paid(), amount_base=amount)


def test_a_payout_knows_its_worth_at_the_rate_of_now(settings):
    settings.FIXED_RATES = {"BTC": Decimal("60000.00")}
    payout = draft(paid())
    assert (payout.amount_base, payout.value_minor, payout.rate_sources) == (DUE, 12_000, {"fixed": "60000.00"})


def test_without_a_rate_the_payments_own_counts(settings):
    settings.FIXED_RATES = {}
    assert draft(paid()).value_minor == 10_000


def test_a_verdict_that_was_read_before_the_draft_loses():
    invoice = paid()
    draft(invoice)
    assert Invoice.objects.get().version == invoice.version + 1


amounts = st.lists(st.tuples(st.sampled_from(["BTC", "BTC-LN", "LTC", "XRP"]), st.integers(0, 10**12)), max_size=6)


@examples(deadline=None)
@given(amounts, amounts)
def test_what_is_left_and_what_went_are_never_more_than_what_came(received, paid_out):
    came, left = left_of(received, []), left_of(received, paid_out)
    went = left_of(paid_out, [])
    for coin, amount in left.items():
        assert amount >= 0
        assert amount == 0 or amount + went.get(coin, 0) == came[coin]


@examples(deadline=None)
@given(st.fractions(0, 100), st.sampled_from(["BTC", "BTC-LN", "LTC", "XRP"]))
def test_what_goes_back_is_rounded_down(coins, network):
    from cryptons.money import UNITS

    back = Fraction(in_base(coins, network), UNITS[network].base_per_coin)
    assert coins - Fraction(1, UNITS["BTC" if network == "BTC-LN" else network].base_per_coin) < back <= coins


# --- Who agrees ---------------------------------------------------------------------------------------------------------------


def test_one_person_is_enough_for_little():
    payout = approved(paid())
    assert (payout.status, payout.approved_by, payout.next_try_at) == ("approved", "grace", NOW)


def test_a_larger_one_needs_a_second_person(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid(), destination="bcrt1qback")

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    assert Payout.objects.get().status == "draft"

    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


def test_the_buyer_is_none_of_the_two(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid(), destination="bcrt1qback", actor="buyer")

    assert approve_payout(payout.pk, actor="grace", at=NOW).status == "draft"
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    payout = approve_payout(payout.pk, actor="ada", at=NOW)

    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "grace", "ada")


def test_who_said_where_to_is_not_joined_by_who_drafted_it_before(settings):
    """Or one person could send to themselves what another one meant for the buyer."""
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid())
    set_destination(payout.pk, "bcrt1qada", actor="ada", at=NOW)

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="ada", at=NOW)
    payout = approve_payout(payout.pk, actor="grace", at=NOW)

    assert (payout.status, payout.approved_by) == ("approved", "grace")


def test_who_drafted_it_is_one_of_two_when_the_buyer_said_where_to(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid())
    set_destination(payout.pk, "bcrt1qada", actor="ada", at=NOW)
    set_destination(payout.pk, "bcrt1qhome", actor="buyer", at=NOW)

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)

    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


# --- What it is worth when somebody agrees --------------------------------------------------------------------------------------


def test_a_rise_since_the_draft_is_no_way_past_the_second_person(settings):
    payout = draft(paid(), destination="bcrt1qback")
    assert payout.value_minor == 10_000
    settings.FIXED_RATES = {"BTC": Decimal("50010.00")}

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    assert Payout.objects.get().status == "draft"
    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


@pytest.mark.parametrize(("limit", "amount"), [("PAYOUT_LIMIT", "150"), ("PAYOUT_DAILY_LIMIT", "150")])
def test_a_rise_since_the_draft_is_no_way_past_a_limit(settings, limit, amount):
    setattr(settings, limit, Decimal(amount))
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000)
    payout = draft(paid(), destination="bcrt1qback")
    settings.FIXED_RATES = {"BTC": Decimal("75010.00")}
    with pytest.raises(PayoutRefused, match=limit):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_what_was_agreed_to_keeps_its_worth_of_then(settings):
    payout = draft(paid(), destination="bcrt1qback")
    settings.FIXED_RATES = {"BTC": Decimal("40000.00")}
    approve_payout(payout.pk, actor="grace", at=NOW)
    payout.refresh_from_db()
    assert (payout.value_minor, payout.minor_per_coin, payout.rate_sources) == (8_000, 4_000_000, {"fixed": "40000.00"})


@pytest.mark.parametrize(("stored", "value"), [(None, 10_000), ("40000.00", 10_000), ("60000.00", 12_000)])
def test_without_a_fresh_rate_the_highest_that_is_known_counts(settings, stored, value):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000)
    payout = draft(paid(), destination="bcrt1qback")
    settings.FIXED_RATES = {}
    if stored:
        old = NOW - timedelta(hours=1)
        Rate.objects.create(coin="BTC", currency="USD", minor_per_coin=Decimal(stored) * 100, sources={"a": stored}, quoted_at=old)

    assert approve_payout(payout.pk, actor="grace", at=NOW).value_minor == value
    assert draft(paid()).value_minor == value


def test_a_fall_after_the_first_of_two_agreed_names_no_person_twice(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid(), destination="bcrt1qback", actor="buyer")
    approve_payout(payout.pk, actor="grace", at=NOW)
    settings.FIXED_RATES = {"BTC": Decimal("49000.00")}
    payout = approve_payout(payout.pk, actor="grace", at=NOW)
    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "grace", "")


def test_nothing_is_approved_before_it_is_known_where_to():
    with pytest.raises(PayoutRefused, match="no destination"):
        approve_payout(draft(paid()).pk, actor="grace", at=NOW)


def test_where_to_cannot_be_changed_after_somebody_agreed(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(0)
    payout = draft(paid(), destination="bcrt1qback", actor="buyer")
    set_destination(payout.pk, "bcrt1qother", actor="buyer", at=NOW)
    approve_payout(payout.pk, actor="grace", at=NOW)
    with pytest.raises(PayoutRefused):
        set_destination(payout.pk, "bcrt1qthief", actor="buyer", at=NOW)
    assert Payout.objects.get().destination == "bcrt1qother"


def test_a_buyer_may_choose_lightning_for_what_came_over_the_chain():
    payout = draft(paid())
    changed = set_destination(payout.pk, "lnbc", network="BTC-LN", actor="buyer", at=NOW)
    assert (changed.network, changed.amount_base) == ("BTC-LN", DUE * 1000)


def test_a_coin_goes_back_as_itself():
    with pytest.raises(PayoutRefused):
        set_destination(draft(paid()).pk, "r…", network="XRP", actor="buyer", at=NOW)


def test_no_payout_is_worth_more_than_the_limit(settings):
    settings.PAYOUT_LIMIT = Decimal("99.99")
    with pytest.raises(PayoutRefused, match="PAYOUT_LIMIT"):
        approved(paid())
    assert Payout.objects.get().status == "draft"


def test_the_payouts_of_a_day_have_a_limit(settings):
    settings.PAYOUT_DAILY_LIMIT = Decimal("199.99")
    approved(paid())
    with pytest.raises(PayoutRefused, match="PAYOUT_DAILY_LIMIT"):
        approved(paid())
    payout = Payout.objects.get(status="draft")
    assert approve_payout(payout.pk, actor="grace", at=NOW + timedelta(hours=24)).status == "approved"


def test_withdrawn_ones_do_not_count_for_the_day(settings):
    settings.PAYOUT_DAILY_LIMIT = Decimal("199.99")
    withdraw_payout(approved(paid()).pk, actor="grace", reason="a slip", at=NOW)
    assert approved(paid()).status == "approved"


@pytest.mark.parametrize("status", ["sending", "sent", "unknown", "failed"])
def test_what_was_handed_to_a_node_cannot_be_withdrawn(status):
    with pytest.raises(PayoutRefused):
        withdraw_payout(PayoutFactory(status=status).pk, actor="grace", reason="a slip", at=NOW)


def test_what_was_sent_by_hand_is_recorded_with_name_and_reason():
    payout = record_sent_by_hand(approved(paid()).pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)

    event = Event.objects.filter(subject_id=payout.pk).latest("seq")
    assert (payout.status, payout.reference, payout.next_try_at) == ("sent", "f" * 64, None)
    assert (event.type, event.actor, event.data["reason"]) == ("payout.sent", "ada", "from the safe")


def test_a_failed_one_whose_money_was_promised_again_is_not_sent_by_hand():
    invoice = paid()
    failed = PayoutFactory(invoice=invoice, status="failed")
    draft(invoice)
    with pytest.raises(PayoutRefused):
        record_sent_by_hand(failed.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)


def test_each_step_is_one_event():
    payout = approved(paid())
    withdraw_payout(payout.pk, actor="ada", reason="a slip", at=NOW)
    told = Event.objects.filter(subject_id=payout.pk).order_by("seq").values_list("seq", "type", "actor")
    assert list(told) == [(1, "payout.draft", "grace"), (2, "payout.approved", "grace"), (3, "payout.withdrawn", "ada")]


def test_money_of_another_coin_goes_back_as_that_coin():
    option = OptionFactory(network="LTC", invoice=InvoiceFactory())
    PaymentFactory(option=option, network="LTC", status="settled", amount_base=10**8)
    assert refundable(option.invoice_id) == {"LTC": 10**8}
    assert Payment.objects.get().network == "LTC"


# --- What was once a way to get more --------------------------------------------------------------------------------------------


def test_an_excess_goes_back_in_two_parts():
    invoice = paid(DUE * 3 // 2)
    draft(invoice, kind="excess", amount_base=DUE // 4)
    assert most_of_kind(invoice, "excess")["BTC"] == DUE // 4
    draft(invoice, kind="excess")
    with pytest.raises(PayoutRefused):
        draft(invoice, kind="excess", amount_base=1_000)


@pytest.mark.parametrize("status", ["new", "processing"])
def test_what_may_still_pay_the_order_does_not_go_back(status):
    invoice = PaymentFactory(amount_base=DUE // 2, status="settled", option__invoice__status=status).invoice
    with pytest.raises(PayoutRefused, match="can still be paid"):
        draft(invoice)


def test_a_larger_one_in_two_parts_needs_a_second_person_as_well(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    invoice = paid()
    approved(invoice, amount_base=DUE // 2)
    rest = draft(invoice, destination="bcrt1qback")
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(rest.pk, actor="grace", at=NOW)
    assert approve_payout(rest.pk, actor="ada", at=NOW).status == "approved"


def test_money_that_vanished_since_the_draft_is_not_sent_back():
    payout = draft(paid(), destination="bcrt1qback")
    Payment.objects.update(status="gone")
    with pytest.raises(PayoutRefused, match="no longer available"):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_who_saw_another_payout_agrees_to_nothing():
    payout = draft(paid(), destination="bcrt1qback")
    set_destination(payout.pk, "bcrt1qthief", actor="buyer", at=NOW)
    with pytest.raises(PayoutRefused, match="changed since"):
        approve_payout(payout.pk, actor="grace", at=NOW, seen_version=payout.version)
    assert Payout.objects.get().status == "draft"


def test_a_failed_one_that_went_by_hand_leaves_no_room_for_a_draft_that_did_not_see_it():
    failed = PayoutFactory(invoice=paid(), status="failed")
    record_sent_by_hand(failed.pk, "f" * 64, actor="ada", reason="from the safe", at=NOW)
    assert Invoice.objects.get().version == failed.invoice.version + 1


def test_too_little_for_the_chain_does_not_change_to_it():
    payout = draft(paid(), network="BTC-LN", amount_base=500_000)
    with pytest.raises(PayoutRefused, match="too small"):
        set_destination(payout.pk, "bcrt1qback", network="BTC", actor="buyer", at=NOW)


# --- What another process did first ----------------------------------------------------------------------------------------------


def test_a_payout_that_another_worker_changed_first_is_not_written():
    payout = PayoutFactory(status="approved")
    stale = Payout.objects.get(pk=payout.pk)
    move_payout(payout, "sending", at=NOW)

    with pytest.raises(PayoutMoved):
        move_payout(stale, "failed", at=NOW, error="no route")

    payout.refresh_from_db()
    assert (payout.status, payout.version, payout.error) == ("sending", 2, "")
    assert Event.objects.filter(subject_id=payout.pk).count() == 1


@pytest.mark.parametrize("status", ["approved", "sending", "sent", "failed", "unknown", "withdrawn"])
def test_only_a_draft_is_approved(status):
    payout = PayoutFactory(invoice=paid(DUE * 2), status=status)
    with pytest.raises(PayoutRefused, match="cannot be approved"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.version, payout.approved_by) == (status, 1, "")
