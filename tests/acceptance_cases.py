"""The acceptance set: what can happen to money on real nodes, and the test in tests/stack that plays it.

pytest -n 0 $(python -m tests.acceptance_cases)
"""

from tests.running import ROOT

PAYMENTS = "acceptance/test_payments.py"
QUOTES = "acceptance/test_quotes.py"
MANY = "test_many_payments.py"
UNTRUSTED = "test_untrusted_node.py"
PAYOUTS = "test_payouts.py"
PAYOUT_TROUBLE = "test_payout_trouble.py"
POWER_CUT = "test_power_cut.py"

CASES: dict[str, list[tuple[str, str]]] = {
    "the exact amount": [(PAYMENTS, "test_a_payment_of_the_exact_amount_settles_the_invoice")],
    "one satoshi under the tolerance, one over": [(PAYMENTS, "test_one_satoshi_decides_whether_an_invoice_is_underpaid_or_overpaid")],
    "two transactions": [(PAYMENTS, "test_the_amounts_of_two_transactions_add_up")],
    "chain and Lightning mixed": [
        (PAYMENTS, "test_paying_on_the_chain_and_over_lightning_overpays_the_invoice"),
        (QUOTES, "test_a_payment_on_the_chain_and_the_rest_over_lightning_add_up"),
    ],
    "replaced, to the same address": [(PAYMENTS, "test_a_replacement_transaction_to_the_same_address_counts_once")],
    "replaced, to another address": [(PAYMENTS, "test_a_replacement_transaction_to_another_address_cancels_the_payment")],
    "double-spent after it was seen": [(PAYMENTS, "test_a_double_spend_in_a_block_cancels_a_payment_that_was_seen")],
    "a reorg of one and of three blocks before it settles": [(PAYMENTS, "test_a_reorg_before_settlement_delays_the_settlement")],
    "a reorg of one and of three blocks after it settled": [
        (PAYMENTS, "test_a_reorg_after_settlement_holds_the_order_until_it_settles_again")
    ],
    "in the second in which the quote expires": [(QUOTES, "test_a_payment_in_the_same_second_as_the_expiry_is_in_time")],
    "all workers down, paid before the quote expires": [(QUOTES, "test_a_payment_in_time_settles_although_all_workers_were_down")],
    "all workers down, paid after it": [(QUOTES, "test_a_payment_hours_after_expiry_is_late_although_all_workers_were_down")],
    "spent by the merchant while workers are down": [(QUOTES, "test_a_payment_that_the_merchant_spent_while_workers_were_down_settles")],
    "unconfirmed for longer than price and stock are held": [
        (QUOTES, "test_an_unconfirmed_payment_holds_price_and_stock_only_for_a_while"),
        (QUOTES, "test_an_unconfirmed_payment_that_is_taken_back_after_its_hold_gains_nothing"),
    ],
    "LND restarted during a payment": [(QUOTES, "test_restarting_lnd_during_a_payment_loses_no_money")],
    "a node that is still syncing": [(PAYMENTS, "test_no_invoice_is_opened_while_the_node_is_syncing")],
    "a wrong password": [
        (PAYMENTS, "test_a_changed_node_password_is_logged_and_breaks_no_page"),
        (PAYMENTS, "test_the_shop_does_not_start_with_a_wrong_node_password"),
    ],
    "a node stopped during checkouts": [(PAYMENTS, "test_a_node_that_stops_during_checkouts_leaves_no_unfinished_orders")],
    "a worker killed between facts and verdict": [(PAYMENTS, "test_killing_a_worker_between_facts_and_verdict_loses_no_payment")],
    "two followers at once": [(PAYMENTS, "test_two_simultaneous_followers_record_each_payment_once")],
    "a thousand invoices expire in one minute": [(MANY, "test_a_thousand_invoices_each_expire_once_within_a_minute")],
    "two thousand payments in one block": [(MANY, "test_two_thousand_payments_in_one_block_each_settle_once_within_a_minute")],
    "a node that verifies its chain again": [(UNTRUSTED, "test_no_order_is_taken_back_while_the_node_verifies_its_chain_again")],
    "another wallet": [(UNTRUSTED, "test_another_wallet_takes_no_payment_away")],
    "a wallet created again": [(UNTRUSTED, "test_a_wallet_created_again_finds_what_was_paid_meanwhile")],
    "another chain": [(UNTRUSTED, "test_another_chain_is_not_believed")],
    "a clock three hours ahead, and behind": [(UNTRUSTED, "test_a_clock_that_is_three_hours_off_makes_no_buyer_late_and_is_reported")],
    "a coinbase to an invoice": [(UNTRUSTED, "test_a_coinbase_to_an_invoice_is_counted_once_it_is_mature")],
    "the parent of a payment replaced": [(UNTRUSTED, "test_a_payment_whose_parent_was_replaced_is_gone_and_flagged")],
    "an excess double-spent between draft and approval": [(PAYOUTS, "test_an_excess_that_was_double_spent_is_not_approved")],
    "between approval and signature": [(PAYOUTS, "test_a_signature_for_an_excess_that_was_double_spent_is_refused")],
    "between approval and sending": [(PAYOUTS, "test_an_excess_that_was_double_spent_is_not_sent_after_it_was_approved")],
    "a payout's sender killed": [
        (PAYOUTS, "test_a_payout_on_the_chain_is_paid_once_when_its_sender_is_killed"),
        (PAYOUTS, "test_a_payout_over_lightning_is_paid_once_when_its_sender_is_killed"),
    ],
    "a power cut after an order": [
        (POWER_CUT, "test_orders_that_were_answered_201_are_there_after_a_power_cut"),
        (POWER_CUT, "test_orders_and_a_payout_are_there_after_a_power_cut_of_postgresql"),
    ],
    "a power cut after a payout": [(POWER_CUT, "test_a_payout_that_was_sent_before_a_power_cut_is_not_sent_again")],
    "a full and a read-only disk": [
        ("test_disk_trouble.py", "test_a_disk_that_is_full_or_read_only_takes_no_order_loses_none_and_recovers")
    ],
    "play money, then a node": [
        ("test_play_money.py", "test_play_money_is_neither_refunded_nor_shipped_once_a_node_is_configured"),
    ],
    "fees of 300 satoshis for each virtual byte": [
        (PAYOUT_TROUBLE, "test_a_payout_waits_while_fees_are_high_until_they_fall_or_staff_allow_more")
    ],
    "a route above the fee limit": [
        (PAYOUT_TROUBLE, "test_a_lightning_payout_waits_when_the_route_exceeds_the_fee_limit_until_staff_allow_more")
    ],
}

STACK = ROOT / "tests" / "stack"


def node_ids() -> list[str]:
    """In the order of the files, so that tests of one file share its shop."""
    return sorted({f"{(STACK / file).relative_to(ROOT)}::{name}" for tests in CASES.values() for file, name in tests})


if __name__ == "__main__":
    print(" ".join(node_ids()))
