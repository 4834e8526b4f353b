"""The ledger: one row for each payment and payout, and sums that are those of the rows."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from cryptons.money import base_to_fiat, base_to_minor, format_coin, format_fiat, format_rate, round_half_up
from payments.accounting import ledger as ledger_module
from payments.accounting.ledger import COLUMNS, Totals, add_up, ledger, payments_in, payouts_in
from payments.accounting.periods import Period, parse_moment
from payments.models import Payment, Payout
from payments.tests.factories import DUE, NOW, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory

ALWAYS = Period()
STATUSES = ["seen", "settled", "gone"]


def all_rows(period=ALWAYS, network=""):
    return list(ledger(payments_in(period, network), payouts_in(period, network)))


def exported(*arguments):
    """(the rows of the file as dicts, what is said next to it)."""
    out, said = io.StringIO(newline=""), io.StringIO()
    call_command("export_ledger", *arguments, stdout=out, stderr=said)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline=""))), said.getvalue()


def fill_ledger(seed):
    """Payments and payouts of every kind, over a week."""
    dice = random.Random(seed)
    for _ in range(30):
        network = dice.choice(["BTC", "BTC-LN", "LTC", "XRP"])
        invoice = InvoiceFactory(currency=dice.choice(["USD", "USD", "JPY"]))
        rate = Decimal(dice.randrange(1, 10**12)).scaleb(-4)
        option = OptionFactory(invoice=invoice, network=network, minor_per_coin=rate, rate_sources={"kraken": "1", "bitstamp": "=1+1"})
        PaymentFactory(
            option=option,
            amount_base=dice.randrange(1, 10**9),
            status=dice.choice(STATUSES),
            first_seen_at=NOW + timedelta(hours=dice.randrange(24 * 7)),
            minor_per_coin=dice.choice([None, None, rate / 2]),
        )
        status = dice.choice(Payout.Status.values)
        PayoutFactory(
            invoice=invoice,
            network=network,
            currency=invoice.currency,
            amount_base=dice.randrange(1, 10**9),
            fee_base=dice.choice([None, dice.randrange(1000)]),
            value_minor=dice.randrange(10**6),
            minor_per_coin=rate,
            status=status,
            created_at=NOW + timedelta(hours=dice.randrange(24 * 7)),
            sent_at=NOW + timedelta(hours=dice.randrange(24 * 7)) if status == "sent" else None,
        )


# --- Rows -----------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_payment_is_a_row_with_its_value_at_its_own_rate():
    option = OptionFactory(rate_sources={"kraken": "49999.9", "coinbase": "50000.1"}, minor_per_coin=Decimal("5000000.5"))
    payment = PaymentFactory(option=option, status="settled")

    rows, said = exported()

    assert [dict(row) for row in rows] == [
        {
            "time": "2026-11-01T12:01:00Z",
            "kind": "payment",
            "order": "7K3M9-2QFXA",
            "network": "BTC",
            "amount": "0.00200000",
            "amount_base": "200000",
            "base_unit": "sat",
            "fee_base": "0",
            "currency": "USD",
            "value": "100.00",
            "rate": "50000.005",
            "rate_sources": "coinbase 50000.1; kraken 49999.9",
            "reference": payment.reference,
            "destination": option.destination,
            "status": "settled",
            "uncounted_amount": "",
            "uncounted_value": "",
        }
    ]
    assert said.splitlines() == [
        "1 rows.",
        "BTC: confirmed 0.00200000 = 100.00 USD, seen 0.00200000 = 100.00 USD, paid out 0.00000000 = 0.00 USD, fees 0.00000000",
    ]


@pytest.mark.django_db
def test_a_payout_is_a_row_of_negative_numbers():
    PayoutFactory(status="sent", sent_at=NOW, fee_base=250, reference="ab" * 32, rate_sources={"fixed": "50000"})

    (row,) = exported()[0]

    assert (row["kind"], row["status"], row["time"], row["order"]) == ("payout", "sent", "2026-11-01T12:00:00Z", "7K3M9-2QFXA")
    assert (row["amount"], row["amount_base"], row["fee_base"], row["value"]) == ("-0.00200000", "-200000", "-250", "-100.00")
    assert (row["rate"], row["rate_sources"], row["reference"]) == ("50000.00", "fixed 50000", "ab" * 32)


@pytest.mark.django_db
def test_an_unsent_payout_is_dated_by_its_draft_and_has_no_fee():
    PayoutFactory(status="unknown")
    (row,) = exported()[0]
    assert (row["time"], row["status"], row["fee_base"]) == ("2026-11-01T12:00:00Z", "unknown", "")


@pytest.mark.django_db
def test_what_is_gone_or_was_not_sent_adds_nothing_to_any_sum():
    PaymentFactory(status="gone")
    PayoutFactory(status="failed", fee_base=250)

    rows = exported()[0]

    assert [(row["amount"], row["amount_base"], row["fee_base"], row["value"]) for row in rows] == [("0.00000000", "0", "0", "0.00")] * 2
    shown = {row["kind"]: (row["uncounted_amount"], row["uncounted_value"]) for row in rows}
    assert shown == {"payment": ("0.00200000", "100.00"), "payout": ("-0.00200000", "-100.00")}


@pytest.mark.django_db
def test_late_money_is_valued_at_the_rate_at_which_it_was_accepted():
    PaymentFactory(minor_per_coin=Decimal(4_000_000))
    (row,) = exported()[0]
    assert (row["value"], row["rate"]) == ("80.00", "40000.00")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount_msat", "value"), [(49_999_999, "0.00"), (50_000_000, "0.01"), (149_999_999, "0.01"), (150_000_000, "0.02")]
)
def test_the_value_of_a_row_is_rounded_half_up(amount_msat, value):
    """0.01 is 0.001 BTC here."""
    PaymentFactory(option=OptionFactory(network="BTC-LN", minor_per_coin=Decimal(1000)), amount_base=amount_msat)
    (row,) = exported()[0]
    assert (row["value"], row["base_unit"]) == (value, "msat")


@pytest.mark.django_db
def test_cells_that_a_spreadsheet_would_run_as_formulas_are_escaped():
    invoice = InvoiceFactory(label="order_=2+5", currency="USD")
    PaymentFactory(option=OptionFactory(invoice=invoice, destination="@here", rate_sources={"=cmd()": "1"}), reference="+1")
    (row,) = exported()[0]
    assert (row["order"], row["destination"], row["rate_sources"], row["reference"]) == ("'=2+5", "'@here", "'=cmd() 1", "'+1")


@pytest.mark.django_db
def test_rows_come_oldest_first_and_once_each_even_when_many_have_the_same_time(monkeypatch):
    monkeypatch.setattr(ledger_module, "PAGE", 3)
    fill_ledger(1)
    Payment.objects.update(first_seen_at=NOW)
    PaymentFactory(first_seen_at=NOW - timedelta(seconds=1))

    rows = all_rows()

    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert sorted(row.reference for row in rows if row.kind == "payment") == sorted(Payment.objects.values_list("reference", flat=True))
    assert len([row for row in rows if row.kind == "payout"]) == Payout.objects.count()


@pytest.mark.django_db
def test_the_ledger_reads_page_by_page_without_joins(monkeypatch):
    monkeypatch.setattr(ledger_module, "PAGE", 10)
    fill_ledger(2)
    with CaptureQueriesContext(connection) as first:
        next(ledger(payments_in(ALWAYS), payouts_in(ALWAYS)))
    with CaptureQueriesContext(connection) as whole:
        all_rows()

    assert len(first) == 3 + 2 + 2  # a page of payments with options and invoices, one of each kind of payouts with invoices
    assert len(whole) <= 3 * 4 + 2 * 4 + 2 * 4
    assert not [query["sql"] for query in whole.captured_queries if " JOIN " in query["sql"] or "$lookup" in query["sql"]]


# --- Periods --------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_period_includes_its_start_and_excludes_its_end():
    for hours in (-1, 0, 1, 2):
        PaymentFactory(first_seen_at=NOW + timedelta(hours=hours))
        PayoutFactory(created_at=NOW + timedelta(hours=hours))
        PayoutFactory(created_at=NOW - timedelta(days=9), sent_at=NOW + timedelta(hours=hours), status="sent")

    rows = all_rows(Period(NOW, NOW + timedelta(hours=2)))

    assert sorted((row.kind, row.status, row.at) for row in rows) == sorted(
        (kind, status, NOW + timedelta(hours=hours))
        for kind, status in (("payment", "seen"), ("payout", "draft"), ("payout", "sent"))
        for hours in (0, 1)
    )


@pytest.mark.django_db
def test_the_export_can_be_limited_to_one_network():
    for network in ("BTC", "LTC"):
        PaymentFactory(option=OptionFactory(network=network))
        PayoutFactory(network=network)
    assert {row["network"] for row in exported("--network", "LTC")[0]} == {"LTC"}
    assert len(exported("--network", "LTC")[0]) == 2


@pytest.mark.django_db
def test_the_export_command_accepts_dates_and_times_in_utc():
    PaymentFactory(first_seen_at=datetime(2026, 11, 1, tzinfo=UTC))
    PaymentFactory(first_seen_at=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    PaymentFactory(first_seen_at=datetime(2026, 12, 1, tzinfo=UTC))
    assert len(exported("--since", "2026-11-01", "--until", "2026-12-01")[0]) == 2
    assert len(exported("--since", "2026-12-01T01:00+01:00")[0]) == 1


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "1.11.2026", "0001-01-01T00:00+14:00", "1999-01-01", "9999-12-31", "٢٠٢٦-11-01"]
)
def test_an_invalid_date_is_refused(text):
    with pytest.raises(ValueError):
        parse_moment(text)
    with pytest.raises(CommandError, match=r"not a date|out of range"):
        call_command("export_ledger", "--since", text)


# --- Sums -----------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_sums_separate_confirmed_from_seen_money_and_include_only_sent_payouts():
    for status in STATUSES:
        PaymentFactory(status=status)
    for status in Payout.Status.values:
        PayoutFactory(status=status, fee_base=100, sent_at=NOW if status == "sent" else None)

    assert add_up(all_rows()) == [
        Totals(
            "BTC",
            "USD",
            seen_base=2 * DUE,
            safe_base=DUE,
            paid_out_base=-DUE,
            fees_base=-100,
            seen_minor=20_000,
            safe_minor=10_000,
            paid_out_minor=-10_000,
        )
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(5))
def test_the_columns_of_the_exported_file_add_up_to_the_sums(seed):
    fill_ledger(seed)
    rows = exported()[0]
    figures = add_up(all_rows())
    assert len(figures) > 3
    for each in figures:
        own = [row for row in rows if (row["network"], row["currency"]) == (each.network, each.currency)]
        safe = [row for row in own if row["status"] == "settled"]
        sent = [row for row in own if row["status"] == "sent"]
        assert sum(int(row["amount_base"]) for row in safe) == each.safe_base
        assert sum(Decimal(row["value"]) for row in safe) == Decimal(each.safe_minor).scaleb(-2 if each.currency == "USD" else 0)
        assert sum(int(row["amount_base"]) for row in own if row["status"] in ("seen", "settled")) == each.seen_base
        assert sum(int(row["amount_base"]) for row in sent) == each.paid_out_base
        assert sum(int(row["fee_base"] or 0) for row in sent) == each.fees_base
        # Without a filter, too: an accountant adds up whole columns.
        assert sum(int(row["amount_base"]) for row in own) == each.seen_base + each.paid_out_base
        assert sum(Decimal(row["amount"]) for row in own) == Decimal(format_coin(each.seen_base + each.paid_out_base, each.network))
        assert sum(int(row["fee_base"] or 0) for row in own) == each.fees_base
        assert sum(Decimal(row["value"]) for row in own) == Decimal(format_fiat(each.seen_minor + each.paid_out_minor, each.currency))


@pytest.mark.django_db
def test_every_kind_of_row_is_in_the_file_and_its_columns_add_up_to_the_sums():
    for network in ("BTC", "BTC-LN", "LTC", "XRP"):
        for status in STATUSES:
            PaymentFactory(option=OptionFactory(network=network), status=status)
        for status in Payout.Status.values:
            PayoutFactory(network=network, status=status, fee_base=100, sent_at=NOW if status == "sent" else None)

    rows = exported()[0]

    assert len(rows) == 4 * (len(STATUSES) + len(Payout.Status.values))
    for each in add_up(all_rows()):
        own = [row for row in rows if row["network"] == each.network]
        assert sum(int(row["amount_base"]) for row in own) == each.seen_base + each.paid_out_base == DUE
        assert sum(int(row["fee_base"]) for row in own) == each.fees_base == -100
    assert sum(Decimal(row["value"]) for row in rows) == sum(
        Decimal(format_fiat(each.seen_minor + each.paid_out_minor, "USD")) for each in add_up(all_rows())
    )


@given(st.integers(-(10**17), 10**17), st.decimals("0.00000001", "999999999999", places=8), st.sampled_from(["BTC", "BTC-LN", "XRP"]))
def test_the_fast_conversion_to_fiat_equals_the_exact_one(amount, rate, network):
    assert base_to_minor(amount, minor_per_coin=rate, network=network) == round_half_up(
        base_to_fiat(amount, minor_per_coin=rate, network=network)
    )


@pytest.mark.parametrize(
    ("minor_per_coin", "currency", "shown"),
    [("6500000", "USD", "65000.00"), ("55.12345678", "USD", "0.5512345678"), ("5E+6", "JPY", "5000000"), ("1.5", "JPY", "1.5")],
)
def test_a_rate_is_shown_exactly_and_without_superfluous_zeros(minor_per_coin, currency, shown):
    assert format_rate(Decimal(minor_per_coin), currency) == shown


# --- Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_output_file_is_replaced_only_when_the_export_is_complete(tmp_path, monkeypatch):
    PaymentFactory()
    file = tmp_path / "ledger.csv"

    exported("--output", str(file))
    assert next(csv.reader(file.open(newline=""))) == list(COLUMNS)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.csv"]

    file.write_text("the old one")
    monkeypatch.setattr(ledger_module.LedgerRow, "cells", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exported("--output", str(file))
    assert file.read_text() == "the old one"


@pytest.mark.django_db
def test_an_output_folder_that_does_not_exist_is_reported(tmp_path):
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        exported("--output", str(tmp_path / "nowhere" / "ledger.csv"))
