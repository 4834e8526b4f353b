"""What counts as money on the XRP Ledger, in both versions of the server's API."""

import logging

import pytest

from payments.networks.xrp.ledger import Entry
from payments.networks.xrp.network import XrpNetwork
from payments.networks.xrp.tests.conftest import DOLLARS, DUE, TAG, facts, state
from tests.fake_rippled import (
    BUYER,
    ELSEWHERE,
    PARTIAL,
    SHOP,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("version", [1, 2])
def test_a_payment_with_a_tag_is_a_confirmed_fact(xrpl, version):
    xrpl.speaks = version
    cursor = state(xrpl)
    paid = xrpl.pay(SHOP, DUE, tag=TAG)

    page = XrpNetwork().facts_since(cursor, ())

    (fact,) = page.facts
    assert (fact.reference, fact.destination, fact.amount_base) == (paid, f"{SHOP}?dt={TAG}", DUE)
    assert (fact.is_safe, fact.is_present, fact.height) == (True, True, 1001)
    assert fact.first_seen_at == xrpl.closed[1001]
    assert (page.cursor.value, page.tip_height) == ("1001", 1001)


@pytest.mark.parametrize("version", [1, 2])
def test_a_partial_payment_is_worth_what_it_delivered(xrpl, version):
    xrpl.speaks = version
    cursor = state(xrpl)
    xrpl.pay(SHOP, DUE, tag=TAG, flags=PARTIAL, delivered=1)

    assert [fact.amount_base for fact in facts(xrpl, cursor)] == [1]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "odd",
    [
        {"result": "tecUNFUNDED_PAYMENT"},
        {"result": "tecDST_TAG_NEEDED"},
        {"amount": DOLLARS},
        {"amount": DUE, "delivered": {"mpt_issuance_id": "00" * 24, "value": "200"}},
        {"amount": DUE, "delivered": DOLLARS, "flags": PARTIAL},
        {"amount": DUE, "delivered": "unavailable", "flags": PARTIAL},
        {"amount": DUE, "delivered": None},
        {"kind": "EscrowCreate"},
        {"kind": "AccountDelete"},
        {"destination": ELSEWHERE, "touches": SHOP},
        {"destination": ELSEWHERE, "sender": SHOP},
        {"sender": SHOP},
    ],
    ids=[
        *("unfunded", "no tag", "dollars", "token", "partly dollars", "unavailable", "untold"),
        *("escrow", "last will", "between others", "sent away", "to itself"),
    ],
)
def test_a_transaction_that_delivers_no_xrp_to_the_shop_is_ignored(xrpl, version, odd):
    xrpl.speaks = version
    cursor = state(xrpl)
    xrpl.pay(**{"destination": SHOP, "amount": DUE, "tag": TAG, **odd})

    page = XrpNetwork().facts_since(cursor, ())

    assert page.facts == ()
    assert page.cursor.value == "1001"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("lacks", [{"touches": SHOP}, {"delivered": "9" * 5000}], ids=["a destination", "an amount that can be read"])
def test_an_unreadable_transaction_does_not_hide_the_others(xrpl, version, lacks):
    xrpl.speaks = version
    cursor = state(xrpl)
    good = xrpl.pay(SHOP, DUE, tag=TAG)
    odd = xrpl.pay(**{"destination": SHOP, "amount": DUE, "tag": TAG, **lacks})
    if "touches" in lacks:
        del xrpl.transactions[-1].fields["Destination"]

    page = XrpNetwork().facts_since(cursor, ())

    assert [fact.reference for fact in page.facts] == [good]
    assert (page.unread, page.cursor.value) == ((odd,), "1002")


def test_a_failed_payment_does_not_count_even_with_a_delivered_amount():
    carried_out = {
        "tx_json": {"TransactionType": "Payment", "Account": BUYER, "Destination": SHOP},
        "meta": {"TransactionResult": "tesSUCCESS", "delivered_amount": "200000000"},
    }
    assert Entry(carried_out).is_payment_to(SHOP)
    for result in ("tecPATH_DRY", "tefPAST_SEQ", ""):
        assert not Entry({**carried_out, "meta": {**carried_out["meta"], "TransactionResult": result}}).is_payment_to(SHOP)


def test_a_payment_with_an_unavailable_amount_is_logged_as_a_warning(xrpl, caplog):
    cursor = state(xrpl)
    paid = xrpl.pay(SHOP, DUE, tag=TAG, flags=PARTIAL, delivered="unavailable")

    facts(xrpl, cursor)

    assert [record.reference for record in caplog.records if record.levelno == logging.WARNING] == [paid]


def test_an_unvalidated_transaction_holds_the_cursor_before_its_ledger(xrpl):
    cursor = state(xrpl)
    xrpl.pay(SHOP, DUE, tag=1)
    unsure = xrpl.pay(SHOP, DUE, tag=2, validated=False)
    xrpl.pay(SHOP, DUE, tag=3)

    page = XrpNetwork().facts_since(cursor, ())
    assert [fact.destination for fact in page.facts] == [f"{SHOP}?dt=1", f"{SHOP}?dt=3"]
    assert page.cursor.value == "1001"

    next(each for each in xrpl.transactions if each.hash == unsure).validated = True
    page = XrpNetwork().facts_since(page.cursor, ())
    assert f"{SHOP}?dt=2" in {fact.destination for fact in page.facts}
    assert page.cursor.value == "1003"


@pytest.mark.parametrize(("tag", "destination"), [(None, SHOP), (0, f"{SHOP}?dt=0"), (2**32 - 1, f"{SHOP}?dt=4294967295")])
def test_the_destination_of_a_payment_has_its_tag_or_none(xrpl, tag, destination):
    cursor = state(xrpl)
    xrpl.pay(SHOP, DUE, tag=tag)

    assert [fact.destination for fact in facts(xrpl, cursor)] == [destination]
