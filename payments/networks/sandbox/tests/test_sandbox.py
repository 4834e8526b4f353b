"""Each play on one invoice, followed as beat would follow it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from cryptons.coins import BITCOIN, LITECOIN, XRP, Chain, CoreCoin
from payments.errors import UnknownPlay
from payments.invoices.settlement import settle
from payments.models import Invoice, SandboxChain
from payments.networks.base import DestinationRequest
from payments.networks.sandbox.network import SandboxNetwork, mine_block
from payments.sync.follower import poll
from payments.sync.sandbox_plays import PLAYS, play
from payments.tests.factories import OptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice():
    now = timezone.now()
    SandboxChain.objects.create(network="BTC", height=100, mined_at=now + timedelta(hours=1))
    return OptionFactory(
        invoice__created_at=now, invoice__expires_at=now + timedelta(minutes=15), invoice__monitor_until=now + timedelta(days=30)
    ).invoice


def after(invoice, *acts):
    """Play, let the follower hear each act, and say where the invoice stands."""
    for act in acts:
        if act == "block":
            mine_block("BTC", timezone.now() + timedelta(minutes=1))
        else:
            play(invoice.pk, act, at=timezone.now())
        poll("BTC", at=timezone.now())
        settle(invoice.pk, at=timezone.now())
    invoice.refresh_from_db()
    return invoice.status, set(invoice.flags)


def test_an_exact_payment_settles_after_its_confirmations(invoice):
    assert after(invoice, "exact") == ("processing", set())
    assert after(invoice, "confirm") == ("processing", set())
    assert after(invoice, "confirm") == ("settled", set())


def test_an_underpayment_leaves_the_invoice_open(invoice):
    assert after(invoice, "under") == ("new", set())
    assert invoice.paid_seen_minor == 6_000


def test_the_exact_amount_after_an_underpayment_is_the_rest(invoice):
    assert after(invoice, "under", "exact") == ("processing", set())
    assert invoice.paid_seen_minor == 10_000


def test_the_exact_amount_can_be_paid_twice(invoice):
    assert after(invoice, "exact", "exact") == ("processing", {"overpaid"})
    assert invoice.paid_seen_minor == 20_000


def test_an_overpayment_is_flagged(invoice):
    assert after(invoice, "over", "confirm", "confirm") == ("settled", {"overpaid"})


def test_a_late_payment_leaves_the_invoice_expired_and_flagged_late(invoice):
    assert after(invoice, "late", "confirm", "confirm") == ("expired", {"late"})


def test_a_double_spent_payment_leaves_the_invoice_open(invoice):
    assert after(invoice, "doubleSpend") == ("processing", set())
    assert after(invoice, "block") == ("new", {"double_spent"})


def test_a_payment_that_was_already_seen_can_be_double_spent(invoice):
    assert after(invoice, "exact", "doubleSpend") == ("new", {"double_spent"})


def test_a_reorg_takes_the_settlement_back_until_the_payment_is_confirmed_again(invoice):
    assert after(invoice, "exact", "confirm", "confirm", "reorg") == ("processing", {"reorged"})
    assert after(invoice, "confirm", "confirm") == ("settled", set())


def test_a_reorg_scenario_can_begin_before_the_first_payment(invoice):
    statuses = [after(invoice, act) for act in ("reorg", "block", "block", "block", "block", "confirm", "confirm")]
    assert ("settled", set()) in statuses
    assert ("processing", {"reorged"}) in statuses
    assert statuses[-1] == ("settled", set())


@pytest.mark.parametrize("act", ["", "steal", "EXACT"])
def test_an_unknown_scenario_is_refused(invoice, act):
    with pytest.raises(UnknownPlay):
        play(invoice.pk, act, at=timezone.now())


@pytest.mark.parametrize("act", PLAYS)
def test_no_scenario_can_be_played_where_the_shop_takes_real_money(invoice, settings, act):
    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    with pytest.raises(UnknownPlay):
        play(invoice.pk, act, at=timezone.now())


@pytest.mark.parametrize("act", PLAYS)
def test_a_scenario_for_an_unknown_invoice_raises_does_not_exist(act):
    from cryptons.db import new_id

    with pytest.raises(Invoice.DoesNotExist):
        play(new_id(), act, at=timezone.now())


WITHOUT_SEGWIT = CoreCoin(
    code="OLD",
    name="Oldcoin",
    base_name="drip",
    dust_base=1,
    uri_scheme="oldcoin",
    sandbox_price="1.00",
    prefix="OLDCOIN",
    chains={"mainnet": Chain("main", 1), "regtest": Chain("regtest", 2)},
)


@pytest.mark.parametrize(
    ("coin", "looks"),
    [(BITCOIN, "bcrt1q[a-z0-9]{38}"), (LITECOIN, "rltc1q[a-z0-9]{38}"), (XRP, r"r\w{33}\?dt=\d+"), (WITHOUT_SEGWIT, r"\w{34}")],
    ids=lambda value: getattr(value, "code", ""),
)
def test_the_sandbox_gives_each_coin_addresses_in_its_own_format(coin, looks):
    destination = SandboxNetwork(coin).open_destination(DestinationRequest("order_1", 1, None))
    assert re.fullmatch(looks, destination.text)
