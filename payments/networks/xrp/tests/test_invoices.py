"""From a payment on the XRP Ledger to a settled invoice, and money that no invoice waits for."""

from datetime import timedelta

import pytest

from payments.errors import NodeUnavailable
from payments.invoices.buyer_view import read_buyer_view
from payments.invoices.settlement import settle
from payments.models import Alert, Cursor, Payment
from payments.networks.xrp import network as adapter
from payments.networks.xrp.network import XrpNetwork
from payments.networks.xrp.tests.conftest import DOLLARS, DUE, TAG, first_turn, option_with, turn
from payments.sync.follower import poll, refresh_invoice
from tests.fake_rippled import (
    ISSUER,
    PARTIAL,
    SHOP,
)

pytestmark = pytest.mark.django_db

OTHER = ISSUER


# --- from the ledger to the invoice ---


def test_an_exact_xrp_payment_settles_at_once(xrpl, option):
    first_turn()
    paid = xrpl.pay(SHOP, DUE, tag=TAG)

    assert turn() == {"settled"}

    payment = Payment.objects.get()
    assert (payment.reference, payment.height, payment.status, payment.is_final) == (paid, 1001, "settled", True)
    assert read_buyer_view(option.invoice_id).confirmations == 1
    assert turn() == set()


def test_a_partial_payment_counts_only_what_it_delivered_and_does_not_settle(xrpl, option):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG, flags=PARTIAL, delivered=1)

    assert turn() == {"new"}

    assert Payment.objects.get().amount_base == 1


def test_two_payments_with_one_tag_add_up(xrpl, option):
    first_turn()
    xrpl.pay(SHOP, DUE - 5_000_000, tag=TAG)
    assert turn() == {"new"}
    xrpl.pay(SHOP, 5_000_000, tag=TAG)
    assert turn() == {"settled"}
    assert Payment.objects.count() == 2


def test_payments_that_failed_or_have_another_tag_or_currency_are_not_stored(xrpl, option):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG, result="tecUNFUNDED_PAYMENT")
    xrpl.pay(SHOP, DOLLARS, tag=TAG)
    xrpl.pay(SHOP, DUE, tag=TAG + 1)
    xrpl.pay(SHOP, DUE)

    assert turn() == set()
    assert not Payment.objects.exists()


def test_a_payment_that_came_while_no_worker_ran_is_in_time(xrpl, option, now):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger(30)
    later = now + timedelta(hours=3)

    assert poll("XRP", at=later) == {option.invoice_id}

    settle(option.invoice_id, at=later)
    option.invoice.refresh_from_db()
    assert (option.invoice.status, option.invoice.flags) == ("settled", frozenset())


def test_a_gap_in_the_servers_history_does_not_move_the_cursor(xrpl, option):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger(50)
    xrpl.first = 1020

    assert turn() == set()
    cursor = Cursor.objects.get()
    assert cursor.value == "1000"
    assert "longer history" in cursor.last_error

    xrpl.first = 801
    assert turn() == {"settled"}
    assert Cursor.objects.get().last_error == ""


def test_refreshing_an_invoice_stores_only_its_own_payments(xrpl, option, now):
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.pay(SHOP, DUE, tag=TAG + 1)

    assert refresh_invoice(option.invoice_id, at=now) == 1

    option.invoice.refresh_from_db()
    assert option.invoice.status == "settled"


def test_a_lookup_reads_all_pages(xrpl, option, now, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_AT_ONCE", 1)
    xrpl.most = 2
    for tag in range(TAG + 9, TAG, -1):
        xrpl.pay(SHOP, DUE, tag=tag)
    xrpl.pay(SHOP, DUE, tag=TAG)

    assert [fact.destination for fact in XrpNetwork().lookup([option.destination])] == [option.destination]


def test_refreshing_an_invoice_older_than_the_servers_history_is_refused(xrpl, now):
    option = option_with(TAG, now - timedelta(hours=2))
    with pytest.raises(NodeUnavailable, match="no longer has the ledgers of"):
        refresh_invoice(option.invoice_id, at=now)


# --- money that no invoice waits for ---


def test_staff_get_one_alert_for_each_payment_without_a_known_tag(xrpl, option, caplog, django_capture_on_commit_callbacks):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG)
    untagged = xrpl.pay(SHOP, 12_500_000)
    mistyped = xrpl.pay(SHOP, DUE, tag=TAG + 1)

    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            turn()

    first, second = Alert.objects.order_by("text")
    assert f"12.500000 XRP was received at {SHOP} on {xrpl.closed[1002]:%Y-%m-%d %H:%M:%S} UTC without a destination tag." in first.text
    assert first.text.endswith(f"Transaction {untagged}.")
    assert f"200.000000 XRP was received at {SHOP}" in second.text
    assert f"with the destination tag {TAG + 1}, which no invoice has." in second.text
    assert [record.reference for record in caplog.records if record.message == "money that no invoice waits for"] == [untagged, mistyped]


def test_many_tiny_payments_without_a_tag_do_not_flood_the_alerts(xrpl, option):
    first_turn()
    for _ in range(100):
        xrpl.pay(SHOP, 11)
    forgotten = xrpl.pay(SHOP, DUE)

    turn()
    turn()

    texts = list(Alert.objects.values_list("text", flat=True))
    assert len(texts) == 22
    assert sum("Too many small unmatched XRP" in text for text in texts) == 1
    assert any(forgotten in text for text in texts)


# --- another account ---


def test_a_payment_to_the_account_that_was_in_use_before_settles_and_staff_are_told(xrpl, option, settings):
    first_turn()
    xrpl.accounts[OTHER] = xrpl.accounts[SHOP]
    settings.XRP_ADDRESS = OTHER
    assert turn() == set()

    (alert,) = Alert.objects.all()
    assert f"1 unfinished invoice belongs to the wallet '{SHOP}', which was replaced by '{OTHER}'" in alert.text
    xrpl.pay(SHOP, DUE, tag=TAG)
    assert turn() == {"settled"}
    assert Alert.objects.count() == 1
