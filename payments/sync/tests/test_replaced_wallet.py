"""A node that re-verifies its chain, another wallet, another chain, a wallet that was created again: no payment is taken for lost.

And an older backup of the shop with the same node.
"""

import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone

from cryptons.coins import BITCOIN, LITECOIN
from payments.invoices.opening import draft_invoice, open_invoice, prepare_offers
from payments.invoices.settlement import settle
from payments.models import Alert, Cursor, Invoice, Option, Payment
from payments.networks.bitcoin.tests.conftest import KEY, take
from payments.networks.bitcoin.wallet import new_address, open_wallet
from payments.sync.follower import poll, refresh_invoice
from payments.sync.node_health import read_nodes
from payments.tests.factories import InvoiceFactory
from tests.fake_bitcoind import FakeBitcoind

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = f"wpkh({KEY}/1/*)"


@pytest.fixture(params=[BITCOIN, LITECOIN], ids=["BTC", "LTC"])
def coin(request):
    return request.param


@pytest.fixture
def node(coin, settings):
    settings.BITCOIN_RPC_HOST = settings.LITECOIN_RPC_HOST = ""
    settings.FIXED_RATES = {"BTC": Decimal(50_000), "LTC": Decimal(100)}
    fake = FakeBitcoind(litecoin=coin is LITECOIN)
    fake.mine(12)  # so that the median time is of today
    fake.start()
    take(settings, coin.prefix, fake)
    yield fake
    fake.stop()


class Shop:
    def __init__(self, coin, node, settings):
        self.coin, self.node, self.settings = coin, node, settings

    def set(self, name, value):
        setattr(self.settings, self.coin.setting(name), value)

    def order(self):
        now = timezone.now()
        subject, label = InvoiceFactory.build().subject_id, f"order_{Option.objects.count()}"
        offers = prepare_offers(self.coin.code, 10_000, label=label, at=now)
        return open_invoice(draft_invoice(offers, subject_id=subject, label=label, price=10_000, at=now))

    def pay(self, invoice):
        option = invoice.options.get()
        return self.node.pay(option.destination, option.due_base)

    def turn(self):
        for invoice_id in poll(self.coin.code, at=timezone.now()):
            settle(invoice_id, at=timezone.now())

    def statuses(self, *invoices):
        return [Invoice.objects.get(pk=invoice.pk).status for invoice in invoices]

    def report(self):
        (report,) = [report for report in read_nodes(at=timezone.now()) if report.network == self.coin.code]
        return report

    def reconcile(self):
        said = io.StringIO()
        try:
            call_command("reconcile", stdout=said)
        except SystemExit as end:
            return end.code, said.getvalue()
        return 0, said.getvalue()


@pytest.fixture
def shop(coin, node, settings, monkeypatch):
    monkeypatch.setattr("payments.accounting.reconcile.sleep", lambda seconds: None)
    return Shop(coin, node, settings)


@pytest.fixture
def sold(shop):
    """A settled order, one whose payment waits for its second block, one in the mempool, and one that is not paid yet."""
    settled, confirming, seen, unpaid = (shop.order() for _ in range(4))
    shop.turn()
    shop.pay(settled)
    shop.node.mine()
    shop.pay(confirming)
    shop.node.mine()
    shop.pay(seen)
    shop.turn()
    assert shop.statuses(settled, confirming, seen, unpaid) == ["settled", "processing", "processing", "new"]
    return settled, confirming, seen, unpaid


UNCHANGED = ["settled", "processing", "processing", "new"]


def test_no_payment_goes_while_the_node_verifies_its_chain_again(shop, sold):
    shop.node.dialect.fields |= {"blocks": 0, "headers": 164, "initialblockdownload": True}

    shop.turn()

    assert shop.statuses(*sold) == UNCHANGED
    assert "catching up" in shop.report().health.problem
    assert shop.reconcile()[0] == 2
    shop.node.dialect.fields.clear()
    shop.turn()
    assert Cursor.objects.get().failing_since is None
    assert shop.statuses(*sold) == UNCHANGED


def rotate(shop):
    shop.set("WALLET", "rotated")
    shop.set("DESCRIPTOR", OTHER)


def test_another_wallet_takes_no_payment_away_and_the_former_one_is_still_read(shop, sold):
    *_, unpaid = sold
    rotate(shop)
    shop.pay(unpaid)
    shop.node.mine()
    shop.turn()
    shop.node.mine()
    shop.turn()

    assert shop.statuses(*sold) == ["settled"] * 4
    assert Payment.objects.filter(is_present=False).count() == 0
    (alert,) = Alert.objects.filter(key__startswith="wallet-replaced ")
    assert "belong to the wallet 'shop', which was replaced by 'rotated'" in alert.text
    assert "still has that wallet" in alert.text
    code, said = shop.reconcile()
    assert (code, "another wallet" in said, "missing" in said) == (1, True, False)
    assert "replaced by 'rotated'" in shop.report().health.problem


def test_a_former_wallet_that_the_node_does_not_have_makes_trouble_known_and_no_payment_go(shop, sold):
    rotate(shop)
    del shop.node.node.wallets["shop"]

    shop.turn()

    assert shop.statuses(*sold) == UNCHANGED
    assert Alert.objects.filter(key__startswith="wallet-replaced ", text__contains="does not have that wallet").count() == 1
    shop.turn()
    assert Alert.objects.filter(key__startswith="wallet-replaced ").count() == 1
    assert "does not have that wallet" in shop.report().health.problem
    code, said = shop.reconcile()
    assert (code, "another wallet" in said, "missing at the node" in said) == (1, True, True)


def test_the_former_wallet_is_read_again_when_it_is_back(shop, sold):
    *_, unpaid = sold
    rotate(shop)
    former = shop.node.node.wallets.pop("shop")
    shop.pay(unpaid)
    shop.turn()
    shop.node.mine(20)
    shop.turn()
    assert shop.statuses(unpaid) == ["new"]

    shop.node.node.wallets["shop"] = former
    for transaction in shop.node.chain.transactions.values():
        former.hear(transaction)
    shop.turn()

    assert shop.statuses(*sold) == ["settled"] * 4


def test_the_former_wallet_set_again_is_the_wallet_in_use_again(shop, sold):
    shop.settings.BITCOIN_DESCRIPTOR, first = OTHER, shop.coin.descriptor
    rotate(shop)
    shop.turn()
    other = shop.order()
    shop.set("WALLET", "shop")
    shop.set("DESCRIPTOR", first)
    shop.pay(other)
    shop.node.mine(2)
    shop.turn()

    assert shop.statuses(*sold, other) == ["settled", "settled", "settled", "new", "settled"]
    assert [wallet["name"] for wallet in Cursor.objects.get().wallets] == ["shop", "rotated"]


def test_nothing_is_reported_of_a_former_wallet_at_which_nothing_waits(shop):
    shop.order()
    shop.turn()
    Invoice.objects.update(status="expired")
    rotate(shop)
    shop.turn()

    assert not Alert.objects.exists()
    assert shop.report().health.problem == ""
    assert shop.reconcile()[0] == 0


def test_staff_who_ask_for_one_invoice_are_answered_from_the_former_wallet(shop, sold):
    *_, unpaid = sold
    rotate(shop)
    shop.turn()
    shop.pay(unpaid)

    assert refresh_invoice(unpaid.pk, at=timezone.now()) == 1
    assert shop.statuses(unpaid) == ["processing"]


def test_a_wallet_created_again_from_the_same_descriptor_finds_what_was_paid_meanwhile(shop, sold):
    *_, unpaid = sold
    del shop.node.node.wallets["shop"]
    shop.pay(unpaid)
    shop.node.mine(30)

    shop.turn()

    assert shop.statuses(*sold) == ["settled"] * 4
    assert not Alert.objects.exists()
    assert shop.report().health.problem == ""
    assert shop.reconcile()[0] == 0


def test_a_wallet_created_again_does_not_issue_addresses_twice(shop, sold):
    del shop.node.node.wallets["shop"]
    shop.node.asked.clear()

    shop.order()

    assert shop.node.methods().count("getnewaddress") == 1
    assert Option.objects.values("destination").distinct().count() == 5


def test_another_chain_is_not_believed_until_staff_agree(shop, sold, settings):
    other = FakeBitcoind(litecoin=shop.coin is LITECOIN, seed="another")
    other.mine(60)
    other.start()
    shop.set("RPC_PORT", other.port)
    shop.turn()

    assert shop.statuses(*sold) == UNCHANGED
    (alert,) = Alert.objects.all()
    assert "does not know a block that the shop has stored" in alert.text
    assert "another chain" in shop.report().warnings[-1] or "another chain" in shop.report().health.problem
    assert shop.reconcile()[0] == 1
    Alert.objects.update(closed_at=timezone.now())
    shop.turn()
    assert Cursor.objects.get().failing_since is None
    assert shop.statuses(*sold) == ["new"] * 4
    other.stop()


def test_a_wallet_from_the_time_before_wallets_were_stored_is_followed_on(shop, sold):
    Cursor.objects.update(wallets=[])
    Option.objects.update(wallet="")
    shop.turn()
    rotate(shop)
    shop.turn()

    assert shop.statuses(*sold) == UNCHANGED
    assert Alert.objects.filter(key__startswith="wallet-replaced ").count() == 1


def test_a_former_wallet_is_forgotten_after_forty_five_days(shop, sold):
    rotate(shop)
    shop.turn()
    cursor = Cursor.objects.get()
    cursor.wallets[1]["left_at"] = (timezone.now() - timedelta(days=46)).isoformat()
    cursor.save()
    shop.turn()

    assert [wallet["name"] for wallet in Cursor.objects.get().wallets] == ["rotated"]


def test_money_for_an_order_that_the_restored_backup_lacks_is_an_alert_and_a_difference(shop, sold):
    *_, lost = sold
    shop.pay(lost)
    Option.objects.filter(invoice=lost).delete()
    Invoice.objects.filter(pk=lost.pk).delete()
    shop.node.mine(2)
    for _ in range(2):
        shop.turn()

    (alert,) = Alert.objects.filter(key__startswith=f"unclaimed {shop.coin.code} ")
    assert "for the order 3, which the shop does not know" in alert.text
    code, said = shop.reconcile()
    assert (code, "for an unknown order" in said) == (1, True)


def test_money_of_the_wallets_owner_is_no_alert_and_no_difference(shop, sold):
    with open_wallet(shop.coin) as wallet:
        shop.node.pay(new_address(wallet, "holiday fund"), 1_000_000)
    shop.turn()

    assert not Alert.objects.exists()
    assert shop.reconcile()[0] == 0
