"""Who must approve a payout, at which value, within which limits, and how deep its money must be."""

from datetime import timedelta
from decimal import Decimal

import pytest

from payments.confirmations import missing_confirmations
from payments.errors import PayoutRefused
from payments.invoices.settlement import settle
from payments.models import Invoice, Payment, Payout, Rate
from payments.payouts.tests.payout_steps import approved, draft, paid
from payments.payouts.workflow import approve_payout, set_destination, withdraw_payout
from payments.tests.factories import DUE, NOW, TIP, CursorFactory, PayoutFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("payout_limits")]


@pytest.mark.parametrize(("height", "missing"), [(TIP, 5), (TIP - 4, 1), (TIP - 5, 0)])
def test_a_large_excess_is_approved_only_once_it_is_as_deep_as_an_invoice_of_that_value(height, missing):
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
def test_money_on_lightning_or_xrp_needs_no_confirmations_to_be_refunded(network):
    invoice = paid(10**12, network=network, option__network=network, is_final=True)
    Invoice.objects.update(paid_safe_minor=10**9)
    assert missing_confirmations(invoice) == 0


def test_limits_finer_than_the_currency_are_rounded_down(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE, settings.PAYOUT_LIMIT = Decimal("100.009"), Decimal("1000.009")
    settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_FEE_MINIMUM = Decimal("5000.009"), Decimal("2.009")
    payout = draft(paid(), destination="bcrt1qback")
    assert approve_payout(payout.pk, actor="grace", at=NOW).status == "approved"


def test_one_person_is_enough_to_approve_a_small_payout():
    payout = approved(paid())
    assert (payout.status, payout.approved_by, payout.next_try_at) == ("approved", "grace", NOW)


def test_a_large_payout_needs_a_second_person(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid(), destination="bcrt1qback")

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    assert Payout.objects.get().status == "draft"

    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


def test_the_buyer_does_not_count_as_one_of_the_two_people(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid(), destination="bcrt1qback", actor="buyer")

    assert approve_payout(payout.pk, actor="grace", at=NOW).status == "draft"
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    payout = approve_payout(payout.pk, actor="ada", at=NOW)

    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "grace", "ada")


def test_the_author_of_a_draft_does_not_count_after_a_colleague_set_the_destination(settings):
    """Otherwise one person could send to themselves what another person drafted for the buyer."""
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid())
    set_destination(payout.pk, "bcrt1qada", actor="ada", at=NOW)

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="ada", at=NOW)
    payout = approve_payout(payout.pk, actor="grace", at=NOW)

    assert (payout.status, payout.approved_by) == ("approved", "grace")


def test_the_staff_member_who_set_a_destination_counts_although_the_buyer_changed_it_later(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid())
    set_destination(payout.pk, "bcrt1qada", actor="ada", at=NOW)
    set_destination(payout.pk, "bcrt1qhome", actor="buyer", at=NOW)

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)

    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


def test_a_payout_that_became_large_since_the_draft_needs_a_second_person(settings):
    payout = draft(paid(), destination="bcrt1qback")
    assert payout.value_minor == 10_000
    settings.FIXED_RATES = {"BTC": Decimal("50010.00")}

    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    assert Payout.objects.get().status == "draft"
    assert approve_payout(payout.pk, actor="ada", at=NOW).status == "approved"


@pytest.mark.parametrize(("limit", "amount"), [("PAYOUT_LIMIT", "150"), ("PAYOUT_DAILY_LIMIT", "150")])
def test_a_payout_that_rose_above_a_limit_since_the_draft_is_refused(settings, limit, amount):
    setattr(settings, limit, Decimal(amount))
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000)
    payout = draft(paid(), destination="bcrt1qback")
    settings.FIXED_RATES = {"BTC": Decimal("75010.00")}
    with pytest.raises(PayoutRefused, match=limit):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_an_approved_payout_stores_its_value_at_the_approval(settings):
    payout = draft(paid(), destination="bcrt1qback")
    settings.FIXED_RATES = {"BTC": Decimal("40000.00")}
    approve_payout(payout.pk, actor="grace", at=NOW)
    payout.refresh_from_db()
    assert (payout.value_minor, payout.minor_per_coin, payout.rate_sources) == (8_000, 4_000_000, {"fixed": "40000.00"})


@pytest.mark.parametrize(("stored", "value"), [(None, 10_000), ("40000.00", 10_000), ("60000.00", 12_000)])
def test_without_a_fresh_rate_the_highest_known_rate_counts(settings, stored, value):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000)
    payout = draft(paid(), destination="bcrt1qback")
    settings.FIXED_RATES = {}
    if stored:
        old = NOW - timedelta(hours=1)
        Rate.objects.create(coin="BTC", currency="USD", minor_per_coin=Decimal(stored) * 100, sources={"a": stored}, quoted_at=old)

    assert approve_payout(payout.pk, actor="grace", at=NOW).value_minor == value
    assert draft(paid()).value_minor == value


def test_a_payout_that_became_small_after_its_first_approval_names_nobody_twice(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    payout = draft(paid(), destination="bcrt1qback", actor="buyer")
    approve_payout(payout.pk, actor="grace", at=NOW)
    settings.FIXED_RATES = {"BTC": Decimal("49000.00")}
    payout = approve_payout(payout.pk, actor="grace", at=NOW)
    assert (payout.status, payout.approved_by, payout.confirmed_by) == ("approved", "grace", "")


def test_a_payout_without_a_destination_cannot_be_approved():
    with pytest.raises(PayoutRefused, match="no destination"):
        approve_payout(draft(paid()).pk, actor="grace", at=NOW)


def test_a_payout_above_the_limit_is_not_approved(settings):
    settings.PAYOUT_LIMIT = Decimal("99.99")
    with pytest.raises(PayoutRefused, match="PAYOUT_LIMIT"):
        approved(paid())
    assert Payout.objects.get().status == "draft"


def test_payouts_above_the_daily_limit_wait_until_the_next_day(settings):
    settings.PAYOUT_DAILY_LIMIT = Decimal("199.99")
    approved(paid())
    with pytest.raises(PayoutRefused, match="PAYOUT_DAILY_LIMIT"):
        approved(paid())
    payout = Payout.objects.get(status="draft")
    assert approve_payout(payout.pk, actor="grace", at=NOW + timedelta(hours=24)).status == "approved"


def test_a_withdrawn_payout_does_not_count_towards_the_daily_limit(settings):
    settings.PAYOUT_DAILY_LIMIT = Decimal("199.99")
    withdraw_payout(approved(paid()).pk, actor="grace", reason="a slip", at=NOW)
    assert approved(paid()).status == "approved"


def test_a_large_refund_in_two_parts_needs_a_second_person_too(settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal("99.99")
    invoice = paid()
    approved(invoice, amount_base=DUE // 2)
    rest = draft(invoice, destination="bcrt1qback")
    with pytest.raises(PayoutRefused, match="second person"):
        approve_payout(rest.pk, actor="grace", at=NOW)
    assert approve_payout(rest.pk, actor="ada", at=NOW).status == "approved"


def test_a_payout_whose_money_vanished_since_the_draft_is_not_approved():
    payout = draft(paid(), destination="bcrt1qback")
    Payment.objects.update(status="gone")
    with pytest.raises(PayoutRefused, match="no longer there"):
        approve_payout(payout.pk, actor="grace", at=NOW)


def test_an_approval_of_a_payout_that_has_changed_since_is_refused():
    payout = draft(paid(), destination="bcrt1qback")
    set_destination(payout.pk, "bcrt1qthief", actor="buyer", at=NOW)
    with pytest.raises(PayoutRefused, match="changed since"):
        approve_payout(payout.pk, actor="grace", at=NOW, seen_version=payout.version)
    assert Payout.objects.get().status == "draft"


@pytest.mark.parametrize("status", ["approved", "sending", "sent", "failed", "unknown", "withdrawn"])
def test_only_a_draft_can_be_approved(status):
    payout = PayoutFactory(invoice=paid(DUE * 2), status=status)
    with pytest.raises(PayoutRefused, match="cannot be approved"):
        approve_payout(payout.pk, actor="grace", at=NOW)
    payout.refresh_from_db()
    assert (payout.status, payout.version, payout.approved_by) == (status, 1, "")
