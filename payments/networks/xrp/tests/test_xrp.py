"""XRP from a server of the ledger: a fake one that speaks rippled's JSON-RPC over HTTP, in both of its versions."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import checks
from django.utils import timezone

from cryptons.money import Minor
from payments.checks import check_xrp_address, check_xrp_server
from payments.errors import NodeRejected, NodeUnavailable
from payments.invoices.buyer_view import read_progress
from payments.invoices.opening import prepare_offer
from payments.invoices.settlement import settle
from payments.models import Alert, Cursor, Payment
from payments.networks.base import CursorState, DestinationRequest
from payments.networks.registry import is_sandbox, network_states, offered_networks
from payments.networks.xrp import network as adapter
from payments.networks.xrp.ledger import Entry
from payments.networks.xrp.network import XrpNetwork
from payments.sync.follower import ask_now, follow
from payments.tests.factories import OptionFactory
from tests.fake_rippled import (
    BUYER,
    DEPOSIT_AUTH,
    DISALLOW_XRP,
    ELSEWHERE,
    ISSUER,
    PARTIAL,
    REQUIRE_TAG,
    SHOP,
    FakeRippled,
)

pytestmark = pytest.mark.django_db

TAG = 7
DUE = 200_000_000
"""100.00 at 0.50 for one XRP."""
DOLLARS = {"currency": "USD", "issuer": ISSUER, "value": "200"}


@pytest.fixture
def xrpl(settings):
    fake = FakeRippled()
    fake.start()
    settings.XRP_URL, settings.XRP_ADDRESS = fake.url, SHOP
    yield fake
    fake.stop()


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def option(now):
    return option_with(TAG, now)


def option_with(tag, now, **more):
    return OptionFactory(
        network="XRP",
        destination=f"{SHOP}?dt={tag}",
        due_base=DUE,
        minor_per_coin=Decimal(50),
        created_at=now,
        invoice__created_at=now,
        invoice__expires_at=now + timedelta(minutes=15),
        invoice__monitor_until=now + timedelta(days=30),
        **more,
    )


def state(fake, ledger=None):
    """A cursor that read up to this ledger of this server."""
    first = XrpNetwork().facts_since(CursorState(), ())
    return CursorState(str(ledger or fake.last), first.cursor.node_id)


def facts(fake, cursor):
    return XrpNetwork().facts_since(cursor, ()).facts


def request_of(now):
    return DestinationRequest(label="order_1", amount_base=DUE, expires_at=now + timedelta(minutes=15))


# --- what counts as money ---


@pytest.mark.parametrize("version", [1, 2])
def test_a_payment_with_a_tag_is_a_safe_fact(xrpl, version):
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
def test_what_is_no_xrp_for_the_shop_is_no_fact(xrpl, version, odd):
    xrpl.speaks = version
    cursor = state(xrpl)
    xrpl.pay(**{"destination": SHOP, "amount": DUE, "tag": TAG, **odd})

    page = XrpNetwork().facts_since(cursor, ())

    assert page.facts == ()
    assert page.cursor.value == "1001"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("lacks", [{"touches": SHOP}, {"delivered": "9" * 5000}], ids=["a destination", "an amount that can be read"])
def test_an_entry_that_makes_no_sense_does_not_hide_the_others(xrpl, version, lacks):
    xrpl.speaks = version
    cursor = state(xrpl)
    good = xrpl.pay(SHOP, DUE, tag=TAG)
    odd = xrpl.pay(**{"destination": SHOP, "amount": DUE, "tag": TAG, **lacks})
    if "touches" in lacks:
        del xrpl.transactions[-1].fields["Destination"]

    page = XrpNetwork().facts_since(cursor, ())

    assert [fact.reference for fact in page.facts] == [good]
    assert (page.unread, page.cursor.value) == ((odd,), "1002")


def test_a_payment_that_failed_is_no_money_whatever_else_stands_there():
    carried_out = {
        "tx_json": {"TransactionType": "Payment", "Account": BUYER, "Destination": SHOP},
        "meta": {"TransactionResult": "tesSUCCESS", "delivered_amount": "200000000"},
    }
    assert Entry(carried_out).is_payment_to(SHOP)
    for result in ("tecPATH_DRY", "tefPAST_SEQ", ""):
        assert not Entry({**carried_out, "meta": {**carried_out["meta"], "TransactionResult": result}}).is_payment_to(SHOP)


def test_an_amount_that_the_server_does_not_know_is_told_in_the_log(xrpl, caplog):
    cursor = state(xrpl)
    paid = xrpl.pay(SHOP, DUE, tag=TAG, flags=PARTIAL, delivered="unavailable")

    facts(xrpl, cursor)

    assert [record.reference for record in caplog.records if record.levelno == logging.WARNING] == [paid]


def test_money_that_no_ledger_vouches_for_yet_holds_the_cursor_before_it(xrpl):
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
def test_every_tag_and_none_is_kept(xrpl, tag, destination):
    cursor = state(xrpl)
    xrpl.pay(SHOP, DUE, tag=tag)

    assert [fact.destination for fact in facts(xrpl, cursor)] == [destination]


# --- reading on ---


def test_a_turn_asks_one_question(xrpl):
    cursor = state(xrpl)
    xrpl.asked.clear()

    XrpNetwork().facts_since(cursor, ())

    assert xrpl.methods() == ["account_tx"]


def test_a_turn_without_a_new_ledger_is_no_error(xrpl):
    cursor = state(xrpl)
    assert XrpNetwork().facts_since(cursor, ()).cursor == cursor


@pytest.mark.parametrize("version", [1, 2])
def test_many_payments_come_in_pages(xrpl, version):
    xrpl.speaks, xrpl.most = version, 10
    cursor = state(xrpl)
    paid = [xrpl.pay(SHOP, DUE, tag=tag, close=tag % 3 == 0) for tag in range(1, 46)]

    page = XrpNetwork().facts_since(cursor, ())

    assert [fact.reference for fact in page.facts] == paid
    assert page.cursor.value == "1015"


def test_ledgers_that_close_between_two_pages_are_left_to_the_next_turn(xrpl):
    xrpl.most = 2
    cursor = state(xrpl)
    for tag in (1, 2, 3):
        xrpl.pay(SHOP, DUE, tag=tag)
    xrpl.fault = lambda method: xrpl.pay(SHOP, DUE, tag=len(xrpl.transactions) + 1) and ""

    page = XrpNetwork().facts_since(cursor, ())
    xrpl.fault = ""

    assert page.cursor.value == "1004"
    assert max(fact.height for fact in page.facts) == 1004
    rest = {fact.destination for fact in facts(xrpl, page.cursor)}
    assert {fact.destination for fact in page.facts} | rest == {f"{SHOP}?dt={tag}" for tag in range(1, len(xrpl.transactions) + 1)}


def test_what_is_too_much_for_one_turn_is_read_over_several_and_nothing_is_lost(xrpl, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_AT_ONCE", 1)
    xrpl.most = 4
    cursor = state(xrpl)
    paid = {xrpl.pay(SHOP, DUE, tag=tag, close=tag % 3 == 0) for tag in range(1, 31)}

    seen, turns = set(), 0
    while cursor.value != "1010":
        page = XrpNetwork().facts_since(cursor, ())
        assert int(page.cursor.value) > int(cursor.value)
        seen |= {fact.reference for fact in page.facts}
        cursor, turns = page.cursor, turns + 1

    assert seen == paid
    assert turns > 3


def test_a_ledger_that_fills_more_than_a_turn_is_read_whole(xrpl, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_AT_ONCE", 1)
    xrpl.most = 2
    cursor = state(xrpl)
    for tag in range(1, 12):
        xrpl.pay(SHOP, DUE, tag=tag, close=False)
    xrpl.close_ledger(2)

    page = XrpNetwork().facts_since(cursor, ())

    assert (len(page.facts), page.cursor.value) == (11, "1002")


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_without_the_ledgers_since_the_cursor_is_no_use_and_says_so(xrpl, version):
    xrpl.speaks = version
    cursor = state(xrpl)
    xrpl.close_ledger(50)
    xrpl.first = 1020

    with pytest.raises(NodeUnavailable, match=r"no longer has the ledgers from 1000 on.* it has 1020 to 1050.*longer history"):
        XrpNetwork().facts_since(cursor, ())


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_that_lags_behind_the_cursor_is_no_use(xrpl, version):
    xrpl.speaks = version
    with pytest.raises(NodeUnavailable, match="behind: ledger 1002 was read already, and it knows none after 1000"):
        XrpNetwork().facts_since(state(xrpl, 1002), ())


@pytest.mark.parametrize("version", [1, 2])
def test_a_server_that_falls_back_between_two_pages_is_no_use(xrpl, version):
    """As one that lags, behind the same address, does."""
    xrpl.speaks, xrpl.most = version, 1
    cursor = state(xrpl)
    for tag in (1, 2, 3):
        xrpl.pay(SHOP, DUE, tag=tag)
    xrpl.asked.clear()

    def lose_a_ledger(method):
        if len(xrpl.asked) == 2:
            del xrpl.closed[xrpl.last]
        return ""

    xrpl.fault = lose_a_ledger
    with pytest.raises(NodeUnavailable, match="behind"):
        XrpNetwork().facts_since(cursor, ())


# --- the first turn ---


def test_the_first_turn_begins_at_the_last_ledger(xrpl):
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger()

    page = XrpNetwork().facts_since(CursorState(), ())

    assert (page.facts, page.cursor.value) == ((), "1002")


def test_the_first_turn_finds_what_was_paid_for_orders_that_came_before_it(xrpl, now):
    option_with(TAG, now - timedelta(minutes=2))
    paid = xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger(5)

    assert [fact.reference for fact in facts(xrpl, CursorState())] == [paid]


def test_the_first_turn_goes_back_as_far_as_the_server_does_if_that_is_enough(xrpl, now):
    """A second a ledger would be 600 ledgers; it has 200, of more than 13 minutes."""
    option_with(TAG, now - timedelta(minutes=10))
    paid = xrpl.pay(SHOP, DUE, tag=TAG)

    assert [fact.reference for fact in facts(xrpl, CursorState())] == [paid]
    assert xrpl.methods() == ["server_info", "ledger", "account_tx"]


def test_the_first_turn_is_refused_by_a_history_that_is_too_short(xrpl, now):
    option_with(TAG, now - timedelta(minutes=20))

    with pytest.raises(NodeUnavailable, match=r"no longer has the ledgers of .* UTC, .* it has 801 to 1000"):
        XrpNetwork().facts_since(CursorState(), ())


def test_orders_of_the_sandbox_and_its_cursor_mean_nothing_to_the_ledger(xrpl, now):
    OptionFactory(network="XRP", destination="rSandbox?dt=1", created_at=now - timedelta(days=90))

    assert XrpNetwork().facts_since(CursorState("2026-11-01T12:00:00+00:00"), ()).cursor.value == "1000"


def test_another_address_of_the_same_network_reads_on(xrpl, settings):
    cursor = state(xrpl)
    paid = xrpl.pay(SHOP, DUE, tag=TAG)
    settings.XRP_URL = f"{xrpl.url}/other"

    page = XrpNetwork().facts_since(cursor, ())

    assert [fact.reference for fact in page.facts] == [paid]
    assert page.cursor.node_id != cursor.node_id


def test_a_server_of_another_network_is_refused(xrpl, settings, now):
    cursor = state(xrpl)
    Cursor.objects.create(network="XRP", value=cursor.value, node_id=cursor.node_id)
    xrpl.network_id = 1
    settings.XRP_URL = f"{xrpl.url}/testnet"

    with pytest.raises(NodeRejected, match="network 1, but this shop has read network 0"):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeRejected, match="network 1"):
        XrpNetwork().open_destination(request_of(now))


def test_a_server_that_does_not_name_its_network_is_taken_for_the_real_one(xrpl):
    xrpl.network_id = None
    assert state(xrpl).node_id.startswith("0 ")


# --- opening ---


def test_each_destination_has_a_tag_of_its_own(xrpl, now):
    texts = [XrpNetwork().open_destination(request_of(now)).text for _ in range(20)]

    assert len(set(texts)) == 20
    for text in texts:
        address, _, tag = text.partition("?dt=")
        assert (address, 0 < int(tag) < 2**32) == (SHOP, True)


def test_a_tag_that_was_used_before_is_not_offered_again(xrpl, option, now, monkeypatch, settings):
    settings.FIXED_RATES = {"XRP": Decimal("0.50")}
    drawn = iter([TAG - 1, TAG - 1, TAG])
    monkeypatch.setattr(adapter.secrets, "randbelow", lambda most: next(drawn))

    offer = prepare_offer("XRP", Minor(10_000), label="order_1", at=now)

    assert (offer.destination, offer.due_base) == (f"{SHOP}?dt={TAG + 1}", DUE)


@pytest.mark.parametrize("server_state", ["disconnected", "connected", "syncing", "tracking"])
def test_a_server_out_of_step_takes_no_orders(xrpl, now, server_state):
    xrpl.server_state = server_state
    with pytest.raises(NodeUnavailable, match="not in step"):
        XrpNetwork().open_destination(request_of(now))


@pytest.mark.parametrize("server_state", ["full", "proposing", "validating", None])
def test_a_server_in_step_does(xrpl, now, server_state):
    """Clio says nothing of a state."""
    xrpl.server_state = server_state
    assert XrpNetwork().open_destination(request_of(now))


def test_a_ledger_that_stands_still_takes_no_orders(xrpl, now):
    xrpl.age = 90
    with pytest.raises(NodeUnavailable, match="0:01:30 old"):
        XrpNetwork().open_destination(request_of(now))


def test_an_account_that_does_not_exist_yet_takes_no_orders_and_has_no_payments(xrpl, now):
    del xrpl.accounts[SHOP]

    with pytest.raises(NodeUnavailable, match=f"account {SHOP} does not exist yet: send it"):
        XrpNetwork().open_destination(request_of(now))
    assert facts(xrpl, CursorState()) == ()
    assert "does not exist yet" in XrpNetwork().health().problem


def test_an_account_that_refuses_strangers_takes_no_orders(xrpl, now):
    xrpl.accounts[SHOP] = REQUIRE_TAG | DEPOSIT_AUTH
    with pytest.raises(NodeRejected, match="DepositAuth"):
        XrpNetwork().open_destination(request_of(now))


def test_no_order_is_taken_that_the_follower_could_not_see_paid(xrpl, now):
    cursor = state(xrpl)
    Cursor.objects.create(network="XRP", value=cursor.value, node_id=cursor.node_id)
    xrpl.close_ledger(50)
    xrpl.first = 1020

    with pytest.raises(NodeUnavailable, match="no longer has the ledgers from 1000 on"):
        XrpNetwork().open_destination(request_of(now))
    assert "no longer has" in XrpNetwork().health().problem


# --- a server that is away, or not itself ---

PASSING = {
    "slowDown": "overloaded",
    "tooBusy": "overloaded",
    "503": "overloaded",
    "noNetwork": "not in step",
    "noCurrent": "not in step",
    "noClosed": "not in step",
    "notSynced": "not in step",
    "amendmentBlocked": "update it",
    "internal": "Internal error.",
    "garbage": "not the JSON-RPC",
    "list": "not the JSON-RPC",
    "nothing": "not the JSON-RPC",
    "hang": "in time",
    "drip": "in time",
}
LASTING = {
    "actMalformed": "XRP_ADDRESS",
    "noPermission": "does not allow",
    "unknownCmd": "does not know",
    "403": "does not allow",
    "404": "not the JSON-RPC",
    "old": "too old",
}


@pytest.mark.parametrize(("fault", "says"), PASSING.items())
def test_what_may_pass_is_unavailable(xrpl, now, settings, fault, says):
    cursor = state(xrpl)
    settings.NODE_TIMEOUT_SECONDS = 1
    xrpl.fault = fault

    with pytest.raises(NodeUnavailable, match=says):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeUnavailable, match=says):
        XrpNetwork().open_destination(request_of(now))
    assert says in XrpNetwork().health().problem


@pytest.mark.parametrize(("fault", "says"), LASTING.items())
def test_what_waiting_will_not_mend_is_rejected(xrpl, now, fault, says):
    cursor = state(xrpl)
    xrpl.fault = fault

    with pytest.raises(NodeRejected, match=says):
        XrpNetwork().facts_since(cursor, ())
    with pytest.raises(NodeRejected, match=says):
        XrpNetwork().open_destination(request_of(now))
    assert says in XrpNetwork().health().problem


def test_nothing_is_asked_twice_behind_the_shops_back(xrpl, settings):
    cursor = state(xrpl)
    settings.NODE_TIMEOUT_SECONDS = 1
    xrpl.asked.clear()
    xrpl.fault = "hang"

    with pytest.raises(NodeUnavailable):
        XrpNetwork().facts_since(cursor, ())

    assert xrpl.methods() == ["account_tx"]


def test_a_server_that_is_gone_is_unavailable(xrpl):
    cursor = state(xrpl)
    with xrpl.away(), pytest.raises(NodeUnavailable, match="does not answer"):
        XrpNetwork().facts_since(cursor, ())


def test_an_answer_that_lacks_what_matters_is_unavailable(xrpl, monkeypatch):
    cursor = state(xrpl)
    monkeypatch.setattr(xrpl, "answer", lambda method, params: {"transactions": [], "ledger_index_min": 1000})

    with pytest.raises(NodeUnavailable, match="cannot be understood"):
        XrpNetwork().facts_since(cursor, ())


def test_an_amendment_blocked_server_takes_no_orders(xrpl, now):
    xrpl.amendment_blocked = True
    with pytest.raises(NodeUnavailable, match="amendment blocked"):
        XrpNetwork().open_destination(request_of(now))


def test_a_server_that_is_well_tells_its_ledger(xrpl):
    health = XrpNetwork().health()
    assert (health.problem, health.height) == ("", 1000)


# --- from the ledger to the invoice ---


def turn():
    touched = follow("XRP", at=timezone.now())
    return {settle(invoice_id, at=timezone.now()).status for invoice_id in touched}


def first_turn():
    assert turn() == set()


def test_an_exact_payment_settles_at_once(xrpl, option):
    first_turn()
    paid = xrpl.pay(SHOP, DUE, tag=TAG)

    assert turn() == {"settled"}

    payment = Payment.objects.get()
    assert (payment.reference, payment.height, payment.status, payment.is_final) == (paid, 1001, "settled", True)
    assert read_progress(option.invoice_id).confirmations == 1
    assert turn() == set()


def test_a_partial_payment_settles_nothing(xrpl, option):
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


def test_failed_and_foreign_payments_settle_nothing(xrpl, option):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG, result="tecUNFUNDED_PAYMENT")
    xrpl.pay(SHOP, DOLLARS, tag=TAG)
    xrpl.pay(SHOP, DUE, tag=TAG + 1)
    xrpl.pay(SHOP, DUE)

    assert turn() == set()
    assert not Payment.objects.exists()


def test_what_came_while_no_worker_ran_is_in_time(xrpl, option, now):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.close_ledger(30)
    later = now + timedelta(hours=3)

    assert follow("XRP", at=later) == {option.invoice_id}

    settle(option.invoice_id, at=later)
    option.invoice.refresh_from_db()
    assert (option.invoice.status, option.invoice.flags) == ("settled", frozenset())


def test_a_gap_in_the_history_moves_no_cursor(xrpl, option):
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


def test_a_person_asks_for_one_invoice(xrpl, option, now):
    xrpl.pay(SHOP, DUE, tag=TAG)
    xrpl.pay(SHOP, DUE, tag=TAG + 1)

    assert ask_now(option.invoice_id, at=now) == 1

    option.invoice.refresh_from_db()
    assert option.invoice.status == "settled"


def test_a_person_who_asks_reads_all_pages(xrpl, option, now, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_AT_ONCE", 1)
    xrpl.most = 2
    for tag in range(TAG + 9, TAG, -1):
        xrpl.pay(SHOP, DUE, tag=tag)
    xrpl.pay(SHOP, DUE, tag=TAG)

    assert [fact.destination for fact in XrpNetwork().lookup([option.destination])] == [option.destination]


def test_a_person_is_told_when_the_server_does_not_know_that_time(xrpl, now):
    option = option_with(TAG, now - timedelta(hours=2))
    with pytest.raises(NodeUnavailable, match="no longer has the ledgers of"):
        ask_now(option.invoice_id, at=now)


# --- money that no invoice waits for ---


def test_staff_are_told_once_of_money_without_a_known_tag(xrpl, option, caplog, django_capture_on_commit_callbacks):
    first_turn()
    xrpl.pay(SHOP, DUE, tag=TAG)
    untagged = xrpl.pay(SHOP, 12_500_000)
    mistyped = xrpl.pay(SHOP, DUE, tag=TAG + 1)

    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            turn()

    first, second = Alert.objects.order_by("text")
    assert f"12.500000 XRP came to {SHOP} at {xrpl.closed[1002]:%Y-%m-%d %H:%M:%S} UTC without a destination tag." in first.text
    assert first.text.endswith(f"Transaction {untagged}.")
    assert f"200.000000 XRP came to {SHOP}" in second.text
    assert f"with the destination tag {TAG + 1}, which no invoice has." in second.text
    assert [record.reference for record in caplog.records if record.message == "money that no invoice waits for"] == [untagged, mistyped]


def test_who_sends_next_to_nothing_a_hundred_times_does_not_fill_the_queue(xrpl, option):
    first_turn()
    for _ in range(100):
        xrpl.pay(SHOP, 11)
    forgotten = xrpl.pay(SHOP, DUE)

    turn()
    turn()

    texts = list(Alert.objects.values_list("text", flat=True))
    assert len(texts) == 22
    assert sum("More small sums came in XRP" in text for text in texts) == 1
    assert any(forgotten in text for text in texts)


# --- settings ---


def test_a_server_of_the_ledger_ends_the_sandbox(settings):
    settings.SANDBOX, settings.XRP_URL = True, "http://127.0.0.1:5005"
    assert not is_sandbox()
    assert offered_networks() == ("XRP",)


def test_a_server_that_failed_is_not_offered(xrpl, now):
    with xrpl.away():
        first_turn()
    (network,) = network_states()
    assert (network.code, "cannot be reached" in network.problem) == ("XRP", True)


@pytest.mark.parametrize("address", ["r", SHOP[:-1], SHOP.lower(), f"{SHOP[:10]}{SHOP[11]}{SHOP[10]}{SHOP[12:]}", f"X{SHOP[1:]}", "é"])
def test_an_address_with_a_slip_in_it_stops_the_start(settings, address):
    settings.XRP_ADDRESS = address
    (error,) = check_xrp_address()
    assert (error.id, error.level) == ("payments.E005", checks.ERROR)


def test_a_right_address_does_not(settings):
    for settings.XRP_ADDRESS in ("", SHOP, BUYER):
        assert check_xrp_address() == []


@pytest.mark.parametrize(
    ("flags", "network_id", "expected"),
    [
        (REQUIRE_TAG, 0, []),
        (REQUIRE_TAG, None, []),
        (REQUIRE_TAG, 1, ["payments.W006"]),
        (0, 0, ["payments.W007"]),
        (REQUIRE_TAG | DISALLOW_XRP, 0, ["payments.W008"]),
        (REQUIRE_TAG | DEPOSIT_AUTH, 0, ["payments.E006"]),
    ],
)
def test_what_is_odd_about_server_and_account_is_said_at_the_start(xrpl, flags, network_id, expected):
    xrpl.accounts[SHOP], xrpl.network_id = flags, network_id
    assert [message.id for message in check_xrp_server()] == expected


@pytest.mark.parametrize(("fault", "expected"), [("noNetwork", "payments.W005"), ("503", "payments.W005"), ("403", "payments.E006")])
def test_an_absent_server_does_not_stop_the_start_and_a_wrong_one_does(xrpl, fault, expected):
    xrpl.fault = fault
    assert [message.id for message in check_xrp_server()] == [expected]


def test_no_server_is_asked_where_none_is_set(settings):
    settings.XRP_URL = settings.XRP_ADDRESS = ""
    assert check_xrp_server() == check_xrp_address() == []
