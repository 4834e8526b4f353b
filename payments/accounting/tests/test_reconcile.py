"""The records of fake nodes, the shop's ledger, and what staff are told of their differences."""

import io
from datetime import timedelta
from functools import partial

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cryptons.chunks import chunks
from payments import tasks
from payments.accounting import nightly
from payments.accounting import reconcile as reconciling
from payments.accounting.comparison import Kind
from payments.accounting.nightly import reconcile_recent
from payments.accounting.periods import Period
from payments.accounting.reconcile import reconcile
from payments.errors import HistoryTooShort, NodeRejected, NodeUnavailable
from payments.invoices.settlement import settle
from payments.models import Alert, Invoice, Option, Payment, SandboxTransaction
from payments.networks.sandbox.network import SandboxNetwork, mine_block, receive
from payments.sync.follower import poll
from payments.tests.factories import OptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture(autouse=True)
def naps(monkeypatch):
    """How often somebody would have waited for the follower."""
    taken = []
    monkeypatch.setattr(reconciling, "sleep", taken.append)
    return taken


def paid(now, network="BTC", *, hours_ago=2):
    """An option that was paid in full, and whose invoice is settled."""
    then = now - timedelta(hours=hours_ago)
    option = OptionFactory(
        network=network,
        destination=f"{network}-{Option.objects.count()}",
        invoice__label=f"order_{network}-{Option.objects.count()}",
        invoice__created_at=then,
        invoice__expires_at=then + timedelta(minutes=15),
    )
    receive(network, option.destination, option.due_base, at=then + timedelta(minutes=1))
    for _ in range(2):
        mine_block(network, now)
    poll(network, at=now)
    settle(option.invoice_id, at=now)
    assert Invoice.objects.get(pk=option.invoice_id).status == "settled"
    return option


def found(now, **more):
    report = reconcile(Period(now - timedelta(days=3), now), at=now, **more)
    return [(difference.kind, difference.network, difference.subject) for difference in report.differences]


def of(option):
    return Payment.objects.get(option=option)


@pytest.fixture
def shop(now):
    return {network: paid(now, network) for network in ("BTC", "LTC", "XRP")}


def test_matching_records_report_no_difference(shop, now):
    report = reconcile(Period(now - timedelta(days=3), now), at=now)
    assert (report.differences, report.unread, report.compared) == ((), {}, {"BTC": 1, "LTC": 1, "XRP": 1})


def test_a_lost_payment_row_is_the_only_difference_reported(shop, now):
    """The wrong sums of its invoice follow from the lost row and are not reported too."""
    reference = of(shop["BTC"]).reference
    of(shop["BTC"]).delete()
    assert found(now) == [(Kind.MISSING_IN_SHOP, "BTC", reference)]


def test_a_changed_amount_is_the_only_difference_reported(shop, now):
    Payment.objects.filter(option=shop["LTC"]).update(amount_base=1)
    assert found(now) == [(Kind.AMOUNT, "LTC", of(shop["LTC"]).reference)]


def test_a_payment_that_no_node_knows_is_reported(shop, now):
    reference = of(shop["XRP"]).reference
    SandboxTransaction.objects.filter(network="XRP").delete()
    assert found(now) == [(Kind.MISSING_AT_NODE, "XRP", reference)]


def test_a_payment_that_lost_its_block_unnoticed_is_reported(shop, now):
    SandboxTransaction.objects.filter(network="BTC").update(height=None)
    assert found(now) == [(Kind.STANDING, "BTC", of(shop["BTC"]).reference)]
    SandboxTransaction.objects.filter(network="BTC").update(is_conflicted=True)
    assert found(now) == [(Kind.MISSING_AT_NODE, "BTC", of(shop["BTC"]).reference)]


def test_a_payment_booked_to_another_invoice_is_reported(shop, now):
    other = paid(now)
    Payment.objects.filter(option=shop["BTC"]).update(option=other, invoice=other.invoice)
    kinds = {kind for kind, _, _ in found(now)}
    assert Kind.DESTINATION in kinds
    assert (Kind.SUM, "", shop["BTC"].invoice.label) in found(now)


def test_money_for_no_invoice_is_listed_as_a_note_and_raises_no_alarm(shop, now):
    receive("BTC", "my own", 500, at=now - timedelta(hours=2))
    report = reconcile(Period(now - timedelta(days=3), now), at=now)
    assert [note.kind for note in report.notes] == [Kind.UNCLAIMED]
    assert report.alarms == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"paid_seen_minor": 9_999}, Kind.SUM), ({"paid_safe_minor": 0}, Kind.SUM), ({"status": "expired"}, Kind.UNSETTLED)],
)
def test_an_invoice_that_disagrees_with_its_payments_is_reported(shop, now, change, kind):
    Invoice.objects.filter(pk=shop["BTC"].invoice_id).update(**change)
    assert found(now) == [(kind, "", shop["BTC"].invoice.label)]


def test_a_settled_invoice_without_payments_or_a_decision_of_staff_is_reported(now):
    option = OptionFactory(invoice__created_at=now - timedelta(hours=2), invoice__status="settled")
    assert found(now) == [(Kind.UNBACKED, "", option.invoice.label)]
    Invoice.objects.update(override="settled")
    assert found(now) == []


def test_an_invoice_that_waits_to_be_evaluated_is_not_reported(shop, now):
    Invoice.objects.update(paid_seen_minor=1, needs_settling=True)
    assert found(now) == []


def test_an_invoice_that_changes_during_its_check_is_left_to_the_next_run(shop, now, monkeypatch):
    Invoice.objects.filter(pk=shop["BTC"].invoice_id).update(paid_seen_minor=1)
    check = reconciling._check

    def moves(invoice, *more):
        Invoice.objects.filter(pk=invoice.pk).update(version=invoice.version + 1)
        return check(invoice, *more)

    monkeypatch.setattr(reconciling, "_check", moves)
    assert found(now) == []


def test_invoices_outside_the_period_are_not_checked(shop, now):
    Invoice.objects.filter(pk=shop["BTC"].invoice_id).update(paid_seen_minor=1)
    Payment.objects.all().delete()
    SandboxTransaction.objects.all().delete()
    Invoice.objects.update(created_at=now - timedelta(days=4))
    assert found(now) == []


def test_an_old_invoice_that_was_paid_in_the_period_is_checked(shop, now):
    Invoice.objects.filter(pk=shop["BTC"].invoice_id).update(paid_seen_minor=1, created_at=now - timedelta(days=9))
    assert found(now) == [(Kind.SUM, "", shop["BTC"].invoice.label)]


def test_reconciliation_can_be_limited_to_one_network(shop, now):
    for option in shop.values():
        of(option).delete()
    assert [network for _, network, _ in found(now, network="LTC")] == ["LTC"]
    assert len(found(now)) == 3


def test_payments_are_compared_in_chunks_without_losing_a_difference(now, monkeypatch):
    monkeypatch.setattr(reconciling, "chunks", partial(chunks, size=2))
    options = [paid(now) for _ in range(5)]
    assert found(now) == []
    lost = sorted(of(option).reference for option in options[:3])
    Payment.objects.filter(reference__in=lost).delete()
    assert sorted(subject for _, _, subject in found(now)) == lost


def test_an_unreachable_node_is_reported_and_the_others_are_compared(shop, now, monkeypatch):
    records = SandboxNetwork.records

    def away(self, since, until, wallets=()):
        if self.code == "BTC":
            raise NodeUnavailable("The Bitcoin node does not answer.")
        return records(self, since, until)

    monkeypatch.setattr(SandboxNetwork, "records", away)
    of(shop["LTC"]).delete()

    report = reconcile(Period(now - timedelta(days=3), now), at=now)

    assert report.unread == {"BTC": "The Bitcoin node does not answer."}
    assert [difference.network for difference in report.differences] == ["LTC"]


def test_time_before_the_nodes_history_is_left_out_and_reported(shop, now, monkeypatch):
    records = SandboxNetwork.records
    begins_at = now - timedelta(hours=3)

    def forgets(self, since, until, wallets=()):
        if since < begins_at:
            raise HistoryTooShort("The XRP server no longer has the ledgers.", begins_at)
        return records(self, since, until)

    paid(now, "XRP", hours_ago=5)
    monkeypatch.setattr(SandboxNetwork, "records", forgets)
    assert found(now, network="XRP") == []
    of(shop["XRP"]).delete()

    report = reconcile(Period(now - timedelta(days=3), now), at=now, network="XRP")

    assert [difference.kind for difference in report.differences] == [Kind.MISSING_IN_SHOP]
    assert report.left_out == (
        f"XRP: the node's history begins at {begins_at:%Y-%m-%d %H:%M} UTC. What was received before was not compared.",
    )
    assert report.compared == {"XRP": 1}

    begins_at = now
    assert reconcile(Period(now - timedelta(days=3), now), at=now, network="XRP").unread == {
        "XRP": "The XRP server no longer has the ledgers."
    }


def test_a_recent_difference_is_checked_again_after_the_follower_had_time_to_catch_up(shop, now, monkeypatch, settings):
    settings.FOLLOW_SECONDS = 3
    option = OptionFactory(destination="new", invoice__created_at=now, invoice__expires_at=now + timedelta(minutes=15))
    receive("BTC", "new", option.due_base, at=now - timedelta(seconds=5))
    naps = []

    def nap(seconds):
        naps.append(seconds)
        poll("BTC", at=now)
        settle(option.invoice_id, at=now)

    monkeypatch.setattr(reconciling, "sleep", nap)

    assert found(now) == []
    assert naps == [6]


def test_the_second_check_reports_what_persists_and_nothing_new(shop, now, monkeypatch):
    option = OptionFactory(destination="new", invoice__created_at=now, invoice__expires_at=now + timedelta(minutes=15))
    receive("BTC", "new", option.due_base, at=now - timedelta(minutes=5))
    monkeypatch.setattr(reconciling, "sleep", lambda _: of(shop["LTC"]).delete())
    assert [network for _, network, _ in found(now)] == ["BTC"]


def test_old_differences_are_reported_without_a_second_check(shop, now, naps):
    of(shop["BTC"]).delete()
    assert len(found(now)) == 1
    assert naps == []


# --- Day by day -----------------------------------------------------------------------------------------------------------


def test_staff_get_one_alert_for_each_difference(shop, now, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    reference = of(shop["BTC"]).reference
    of(shop["BTC"]).delete()
    receive("BTC", "my own", 500, at=now - timedelta(hours=2))

    for _ in range(2):
        tasks.reconcile_books()

    alert = Alert.objects.get()
    assert alert.text.startswith(
        f"Reconciliation found a difference (missing in the shop). BTC, {reference}: 0.00200000 BTC was received at BTC-0"
    )


def test_money_of_the_last_hour_is_left_to_the_next_nightly_run(now):
    option = paid(now, hours_ago=1)
    Payment.objects.filter(option=option).delete()
    reconcile_recent(at=now)
    assert not Alert.objects.exists()
    reconcile_recent(at=now + timedelta(days=1))
    assert Alert.objects.count() == 1


def test_matching_records_raise_no_alert(shop, now):
    reconcile_recent(at=now)
    assert not Alert.objects.exists()


def test_records_that_cannot_be_read_raise_one_alert_a_day(shop, now, monkeypatch):
    def refuses(*_):
        raise NodeRejected("LND refuses LND_MACAROON: it does not allow /lnrpc.Lightning/ListInvoices.")

    monkeypatch.setattr(SandboxNetwork, "records", refuses)
    for hours in (0, 1, 24):
        reconcile_recent(at=now.replace(hour=4) + timedelta(hours=hours))
    assert Alert.objects.count() == 3 * 2
    assert "it does not allow /lnrpc.Lightning/ListInvoices" in Alert.objects.first().text


def test_a_flood_of_differences_is_summed_up_in_one_more_alert(now, monkeypatch):
    monkeypatch.setattr(nightly, "MOST_ALERTS", 2)
    for _ in range(4):
        paid(now)
    Payment.objects.all().delete()

    reconcile_recent(at=now)

    assert Alert.objects.count() == 3
    assert Alert.objects.filter(text__startswith="There are 2 more differences").count() == 1


# --- By hand --------------------------------------------------------------------------------------------------------------


def run(*arguments):
    """(exit code, the lines)."""
    out = io.StringIO()
    try:
        call_command("reconcile", *arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        return end.code, out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_the_command_reports_no_differences_and_succeeds(shop):
    code, lines = run()
    assert code == 0
    assert lines[1:] == [*(f"{network}: 1 payment in the node's records." for network in ("BTC", "LTC", "XRP")), "No differences."]


def test_the_command_lists_differences_and_notes_and_exits_with_1(shop, now):
    reference = of(shop["BTC"]).reference
    of(shop["BTC"]).delete()
    Invoice.objects.filter(pk=shop["LTC"].invoice_id).update(paid_seen_minor=1)
    own = receive("XRP", "my own", 500, at=now - timedelta(hours=2))

    code, lines = run()

    assert code == 1
    assert lines[4] == "2 differences:"
    assert lines[5].startswith(f"  missing in the shop  BTC   {reference}  0.00200000 BTC was received at BTC-0 at ")
    assert lines[6].startswith(f"  sum differs          shop  {'order_LTC-1'.ljust(len(reference))}  order_LTC-1: its payments make ")
    assert lines[7] == "Money for no invoice, listed for completeness:"
    assert lines[8].startswith(f"  for no invoice  XRP  {own.txid}:0  0.000500 XRP was received at my own at ")


def test_the_command_succeeds_when_there_are_only_notes(shop, now):
    receive("XRP", "my own", 500, at=now - timedelta(hours=2))
    assert run()[0] == 0


def test_the_command_exits_with_2_when_a_nodes_records_cannot_be_read(shop, monkeypatch):
    def away(*_):
        raise NodeUnavailable("The Bitcoin node does not answer.")

    monkeypatch.setattr(SandboxNetwork, "records", away)
    code, lines = run("--network", "BTC")
    assert (code, lines[1:]) == (2, ["BTC: NOT COMPARED. The Bitcoin node does not answer.", "No differences among what was compared."])


def test_the_command_exits_with_1_when_there_are_both_differences_and_unread_records(shop, monkeypatch):
    records = SandboxNetwork.records

    def away(self, since, until, wallets=()):
        if self.code == "BTC":
            raise NodeUnavailable("The Bitcoin node does not answer.")
        return records(self, since, until)

    monkeypatch.setattr(SandboxNetwork, "records", away)
    of(shop["LTC"]).delete()
    assert run()[0] == 1


def test_the_command_exits_with_2_for_a_network_that_the_shop_does_not_take(settings):
    code, lines = run("--network", "BTC-LN")
    assert (code, lines[1]) == (2, "BTC-LN: NOT COMPARED. The shop does not take this network.")


def test_the_command_accepts_a_period_in_dates(shop, now):
    of(shop["BTC"]).delete()
    tomorrow, yesterday = (f"{now + timedelta(days=days):%Y-%m-%d}" for days in (1, -1))
    assert run("--since", yesterday, "--until", tomorrow)[0] == 1
    assert run("--since", "2020-01-01", "--until", "2020-02-01") == (
        0,
        [
            "From 2020-01-01 00:00 to 2020-02-01 00:00 UTC.",
            *(f"{network}: 0 payments in the node's records." for network in ("BTC", "LTC", "XRP")),
            "No differences.",
        ],
    )
    with pytest.raises(CommandError, match="--since must be before --until"):
        run("--since", "2020-02-01", "--until", "2020-02-01")
