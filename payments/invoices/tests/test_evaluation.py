from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from payments.invoices.evaluation import Received, Terms, completes, evaluate

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
EXPIRY = NOW + timedelta(minutes=15)
TERMS = Terms(price_minor=10_000, tolerance_percent=Decimal("0.5"), tolerance_cap_minor=100, expires_at=EXPIRY)
SAT = Fraction(5_000_000, 100_000_000)


def paid(value=10_000, status="settled", seen_at=NOW, **more):
    return Received(value_minor=Fraction(value), dust_minor=546 * SAT, first_seen_at=seen_at, due_by=EXPIRY, status=status, **more)


def test_an_unpaid_invoice_is_new_until_it_expires():
    assert evaluate(TERMS, [], EXPIRY - timedelta(microseconds=1)).status == "new"


def test_an_unpaid_invoice_expires_at_its_expiry():
    verdict = evaluate(TERMS, [], EXPIRY)
    assert (verdict.status, verdict.flags) == ("expired", frozenset())


def test_an_invoice_whose_full_price_was_seen_is_processing():
    verdict = evaluate(TERMS, [paid(status="seen")], NOW)
    assert (verdict.status, verdict.paid_seen_minor, verdict.paid_safe_minor) == ("processing", 10_000, 0)


def test_an_invoice_whose_full_price_is_confirmed_is_settled():
    assert evaluate(TERMS, [paid()], NOW).status == "settled"


def test_a_processing_invoice_never_expires():
    assert evaluate(TERMS, [paid(status="seen")], EXPIRY + timedelta(days=9)).status == "processing"


def test_the_price_minus_the_tolerance_is_enough():
    assert evaluate(TERMS, [paid(9_950)], NOW).status == "settled"


def test_one_satoshi_under_the_tolerance_is_not_enough():
    assert evaluate(TERMS, [paid(9_950 - SAT)], NOW).status == "new"


def test_the_tolerance_of_a_large_price_is_capped():
    dear = replace(TERMS, price_minor=1_000_000)
    assert evaluate(dear, [paid(1_000_000 - 100)], NOW).status == "settled"
    assert evaluate(dear, [paid(1_000_000 - 101)], NOW).status == "new"


def test_a_rest_that_cannot_be_sent_is_enough():
    """As an exchange's fee left it: 262 satoshis of a small price, which are more than half a percent."""
    small = replace(TERMS, price_minor=2_000)
    assert evaluate(small, [paid(2_000 - 262 * SAT)], NOW).status == "settled"
    assert evaluate(small, [paid(2_000 - 546 * SAT)], NOW).status == "settled"
    assert evaluate(small, [paid(2_000 - 547 * SAT)], NOW).status == "new"


def test_a_rest_that_cannot_be_sent_is_not_enough_above_the_cap():
    strict = replace(TERMS, price_minor=2_000, tolerance_cap_minor=5)
    assert evaluate(strict, [paid(2_000 - 100 * SAT)], NOW).status == "settled"
    assert evaluate(strict, [paid(2_000 - 101 * SAT)], NOW).status == "new"


def test_money_that_is_not_confirmed_lowers_no_price_that_must_be_confirmed():
    small = replace(TERMS, price_minor=2_000)
    lightning = replace(paid(1_980), dust_minor=SAT)
    assert evaluate(small, [lightning, paid(1, status="seen")], NOW).status == "processing"


def test_two_payments_add_up():
    assert evaluate(TERMS, [paid(4_000), paid(6_000)], NOW).status == "settled"


def test_an_invoice_with_enough_seen_but_too_little_confirmed_is_processing():
    assert evaluate(TERMS, [paid(4_000), paid(6_000, status="seen")], NOW).status == "processing"


def test_a_vanished_payment_does_not_count():
    assert evaluate(TERMS, [paid(status="gone")], NOW).status == "new"


def test_an_invoice_whose_payment_vanishes_after_expiry_is_expired():
    assert evaluate(TERMS, [paid(status="gone")], EXPIRY).status == "expired"


def test_money_first_seen_in_time_settles_an_expired_invoice_and_is_not_late():
    verdict = evaluate(TERMS, [paid(seen_at=EXPIRY)], EXPIRY + timedelta(hours=5))
    assert (verdict.status, verdict.flags) == ("settled", frozenset())


def test_money_first_seen_after_expiry_is_late_and_does_not_settle():
    verdict = evaluate(TERMS, [paid(seen_at=EXPIRY + timedelta(seconds=1))], EXPIRY + timedelta(hours=5))
    assert (verdict.status, verdict.flags) == ("expired", {"late"})


def test_an_invoice_paid_in_part_at_expiry_is_underpaid():
    verdict = evaluate(TERMS, [paid(5_000)], EXPIRY)
    assert (verdict.status, verdict.flags) == ("expired", {"underpaid"})


def test_a_late_second_half_does_not_complete_the_price():
    verdict = evaluate(TERMS, [paid(5_000), paid(5_000, seen_at=EXPIRY + timedelta(seconds=1))], EXPIRY + timedelta(hours=1))
    assert (verdict.status, verdict.flags) == ("expired", {"late"})


LATE = EXPIRY + timedelta(seconds=1)


def test_accepted_late_money_settles_the_invoice_and_keeps_the_late_flag():
    verdict = evaluate(TERMS, [paid(seen_at=LATE, is_accepted=True)], LATE)
    assert (verdict.status, verdict.flags) == ("settled", {"late"})


def test_late_money_on_top_of_the_full_price_is_only_overpaid():
    verdict = evaluate(TERMS, [paid(), paid(seen_at=LATE)], LATE)
    assert (verdict.status, verdict.flags) == ("settled", {"overpaid"})


def test_money_for_an_older_quote_is_late_although_the_invoice_is_open_again():
    verdict = evaluate(replace(TERMS, expires_at=EXPIRY + timedelta(hours=1)), [paid(seen_at=LATE)], LATE)
    assert (verdict.status, verdict.flags) == ("new", {"late"})


def test_confirmed_late_money_does_not_settle_while_the_punctual_money_is_only_seen():
    verdict = evaluate(TERMS, [paid(status="seen"), paid(seen_at=LATE)], LATE)
    assert (verdict.status, verdict.paid_safe_minor) == ("processing", 10_000)


@pytest.mark.parametrize(
    ("in_time", "late", "expected"),
    [(0, 10_000, True), (5_000, 5_000, True), (5_000, 4_000, False), (10_000, 10_000, True), (0, 9_950, True)],
)
def test_late_money_completes_an_invoice_when_the_total_is_enough(in_time, late, expected):
    received = [paid(in_time), paid(late, seen_at=LATE)]
    assert completes(TERMS, received, received[1:]) is expected


@pytest.mark.parametrize(("late", "expected"), [(12_950, True), (12_949, False), (10_000, False)])
def test_late_money_must_also_replace_what_was_refunded(late, expected):
    received = [paid(5_000), paid(late, seen_at=LATE)]
    assert completes(replace(TERMS, returned_minor=Fraction(8_000)), received, received[1:]) is expected


def test_money_that_is_gone_completes_nothing():
    gone = paid(5_000, status="gone", seen_at=LATE)
    assert completes(TERMS, [paid(5_000), gone], [gone]) is False
    here = paid(5_000, seen_at=LATE)
    assert completes(TERMS, [paid(5_000, status="gone"), here], [here]) is False


@pytest.mark.parametrize(
    ("in_time", "returned", "expected"),
    [
        ([5_000], 5_000, ("expired", {"underpaid"})),
        ([5_000, 5_000], 5_000, ("expired", {"underpaid"})),
        ([5_000, 10_000], 5_000, ("settled", set())),
        ([10_000], 10_000, ("expired", set())),
    ],
)
def test_refunded_money_does_not_count_towards_the_price(in_time, returned, expected):
    verdict = evaluate(replace(TERMS, returned_minor=Fraction(returned)), [paid(amount) for amount in in_time], LATE)
    assert (verdict.status, verdict.flags) == expected


def test_overpaid_begins_above_half_a_percent():
    assert evaluate(TERMS, [paid(10_050)], NOW).flags == frozenset()
    assert evaluate(TERMS, [paid(10_050 + SAT)], NOW).flags == {"overpaid"}


def test_overpaid_begins_above_the_dust_limit_for_small_prices():
    cheap = replace(TERMS, price_minor=100)
    assert evaluate(cheap, [paid(100 + 546 * SAT)], NOW).flags == frozenset()
    assert evaluate(cheap, [paid(100 + 547 * SAT)], NOW).flags == {"overpaid"}


def test_a_settled_invoice_whose_payment_lost_its_confirmations_is_reorged():
    verdict = evaluate(replace(TERMS, has_settled=True), [paid(status="seen")], NOW)
    assert (verdict.status, verdict.flags) == ("processing", {"reorged"})


def test_a_settled_invoice_whose_payment_was_double_spent_is_reorged_and_double_spent():
    verdict = evaluate(replace(TERMS, has_settled=True), [paid(status="gone", is_conflicted=True)], EXPIRY)
    assert (verdict.status, verdict.flags) == ("expired", {"reorged", "double_spent"})


def test_a_replaced_payment_is_not_a_double_spend_when_the_replacement_pays_too():
    verdict = evaluate(TERMS, [paid(status="gone", is_conflicted=True), paid(status="seen")], NOW)
    assert (verdict.status, verdict.flags) == ("processing", frozenset())


@pytest.mark.parametrize("mark", ["settled", "invalid"])
def test_a_decision_of_staff_overrides_the_facts(mark):
    verdict = evaluate(replace(TERMS, override=mark), [], EXPIRY)
    assert (verdict.status, verdict.flags) == (mark, {"manual"})


def test_a_cancelled_invoice_stays_cancelled_and_flags_its_money_as_late():
    verdict = evaluate(replace(TERMS, override="cancelled"), [paid()], NOW)
    assert (verdict.status, verdict.flags) == ("cancelled", {"late"})


@pytest.mark.parametrize("mark", ["cancelled", "invalid"])
def test_a_closed_invoice_without_money_is_not_late(mark):
    assert "late" not in evaluate(replace(TERMS, override=mark), [paid(status="gone")], NOW).flags


def test_a_decision_of_staff_hides_the_reorg():
    verdict = evaluate(replace(TERMS, override="settled", has_settled=True), [paid(status="seen")], NOW)
    assert verdict.flags == {"manual"}
    assert evaluate(replace(TERMS, override="invalid", has_settled=True), [], NOW).flags == {"manual"}


@pytest.mark.parametrize(
    ("mined", "expected"), [([], False), ([True], True), ([False], False), ([True, False], False), ([True, True], True)]
)
def test_an_invoice_is_mined_when_all_that_it_received_is_in_blocks(mined, expected):
    received = [paid(5_000, is_mined=is_mined) for is_mined in mined]
    assert evaluate(TERMS, received, NOW).is_mined is expected


def test_a_payment_that_is_gone_does_not_say_whether_an_invoice_is_mined():
    assert evaluate(TERMS, [paid(is_mined=True), paid(status="gone")], NOW).is_mined is True
    assert evaluate(TERMS, [paid(status="gone", is_mined=True)], NOW).is_mined is False


def test_the_sums_of_a_verdict_are_whole_minor_units_rounded_down():
    verdict = evaluate(TERMS, [paid(Fraction(2_999, 2)), paid(Fraction(1, 3), status="seen")], NOW)
    assert (verdict.paid_seen_minor, verdict.paid_safe_minor) == (1_499, 1_499)


def test_the_safe_sum_of_a_verdict_counts_settled_money_that_is_late_and_none_that_is_only_seen():
    verdict = evaluate(TERMS, [paid(1_000), paid(2_000, seen_at=LATE), paid(4_000, status="seen"), paid(8_000, status="gone")], LATE)
    assert (verdict.paid_seen_minor, verdict.paid_safe_minor) == (7_000, 3_000)


def test_refunded_money_is_not_safe():
    verdict = evaluate(replace(TERMS, returned_minor=Fraction(5_000)), [paid(10_000), paid(5_000, status="seen")], NOW)
    assert verdict.status == "processing"


def test_a_refund_of_the_excess_takes_the_overpaid_flag_away():
    assert evaluate(replace(TERMS, returned_minor=Fraction(5_000)), [paid(15_000)], NOW).flags == frozenset()
    assert evaluate(replace(TERMS, returned_minor=Fraction(5_000)), [paid(16_000)], NOW).flags == {"overpaid"}


def test_the_largest_dust_limit_of_the_payments_decides_about_overpaid():
    small = Received(value_minor=Fraction(120), dust_minor=Fraction(1), first_seen_at=NOW, due_by=EXPIRY, status="settled")
    cheap = replace(TERMS, price_minor=100)
    assert evaluate(cheap, [small], NOW).flags == {"overpaid"}
    assert evaluate(cheap, [small, replace(small, value_minor=Fraction(0), dust_minor=Fraction(20))], NOW).flags == frozenset()


@pytest.mark.parametrize(("came", "expected"), [(9_950, frozenset()), (9_949, {"double_spent"})])
def test_a_double_spend_is_flagged_while_too_little_else_was_received(came, expected):
    assert evaluate(TERMS, [paid(status="gone", is_conflicted=True), paid(came)], NOW).flags == expected


def test_only_a_payment_that_is_gone_is_double_spent():
    assert evaluate(TERMS, [paid(5_000, status="seen", is_conflicted=True)], NOW).flags == frozenset()
    assert evaluate(TERMS, [paid(status="gone")], NOW).flags == frozenset()


def test_late_money_that_was_needed_for_the_price_makes_it_late_and_extra_late_money_does_not():
    accepted = paid(5_000, seen_at=LATE, is_accepted=True)
    assert evaluate(TERMS, [paid(5_000), accepted], LATE).flags == {"late"}
    assert evaluate(TERMS, [paid(4_950), accepted], LATE).flags == {"late"}
    assert evaluate(TERMS, [paid(9_950), accepted], LATE).flags == {"overpaid"}


@pytest.mark.parametrize(
    ("received", "returned", "flags"),
    [
        ([paid(Fraction(1, 2))], 0, {"underpaid"}),
        ([paid(9_950, seen_at=LATE)], 0, {"late"}),
        ([paid(9_949, seen_at=LATE)], 0, {"late", "underpaid"}),
        ([paid(9_950)], 1, {"underpaid"}),
        ([paid(10_000)], Fraction(19_999, 2), {"underpaid"}),
        ([paid(5_000), paid(6_950, seen_at=LATE)], 2_000, {"late"}),
        ([paid(5_000), paid(6_949, seen_at=LATE)], 2_000, {"late", "underpaid"}),
    ],
)
def test_an_expired_invoice_is_underpaid_when_some_money_came_or_stays_but_not_enough(received, returned, flags):
    verdict = evaluate(replace(TERMS, returned_minor=Fraction(returned)), received, LATE)
    assert (verdict.status, verdict.flags) == ("expired", flags)


# --- Slow payments ----------------------------------------------------------------------------------------------------------


def slow(value=10_000, status="seen", **more):
    return paid(value, status, is_slow=True, **more)


def test_a_slow_payment_does_not_pay_while_it_is_in_no_block():
    verdict = evaluate(TERMS, [slow()], LATE)
    assert (verdict.status, verdict.flags, verdict.paid_seen_minor) == ("expired", {"slow"}, 10_000)


def test_a_slow_payment_in_a_block_is_late_until_it_is_accepted():
    assert evaluate(TERMS, [slow(status="settled", is_mined=True)], LATE).flags == {"slow", "late"}
    verdict = evaluate(TERMS, [slow(status="settled", is_mined=True, is_accepted=True)], LATE)
    assert (verdict.status, verdict.flags) == ("settled", {"slow", "late"})


def test_an_accepted_slow_payment_pays_although_a_reorg_took_its_block():
    verdict = evaluate(TERMS, [slow(is_accepted=True)], LATE)
    assert (verdict.status, verdict.flags) == ("processing", {"slow", "late"})


@pytest.mark.parametrize(("punctual", "flags"), [(9_950, set()), (9_949, {"slow"})])
def test_a_slow_payment_is_flagged_while_the_price_is_not_paid_without_it(punctual, flags):
    assert evaluate(TERMS, [paid(punctual), slow(50)], LATE).flags == flags


def test_a_slow_payment_that_is_stuck_is_not_late_although_it_was_seen_late():
    assert evaluate(TERMS, [slow(seen_at=LATE)], LATE).flags == {"slow"}


def test_a_payment_that_is_only_seen_late_is_not_slow():
    assert evaluate(TERMS, [paid(seen_at=LATE, is_mined=True)], LATE).flags == {"late"}


def test_stuck_money_beside_accepted_late_money_does_not_make_it_punctual():
    received = [paid(5_000), slow(5_000), paid(5_000, seen_at=LATE, is_accepted=True)]
    verdict = evaluate(TERMS, received, LATE)
    assert (verdict.status, verdict.flags) == ("settled", {"late", "overpaid"})


def test_a_decision_of_staff_hides_that_a_payment_is_slow():
    assert evaluate(replace(TERMS, override="settled"), [slow()], LATE).flags == {"manual"}


@pytest.mark.parametrize(("punctual", "flags"), [(9_950, set()), (9_949, {"late"})])
def test_late_money_that_nobody_accepted_is_flagged_while_the_price_is_not_paid_without_it(punctual, flags):
    assert evaluate(TERMS, [paid(punctual), paid(50, seen_at=LATE)], LATE).flags == flags
