"""A coin that is one entry in the table is sold with, in the sandbox and through its own node. Run by tests/test_made_up_coin.py."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone

from accounts.tests.factories import ApiClient, UserFactory
from cryptons.coins import COINS
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment, SandboxChain
from payments.networks.registry import network_states, networks
from payments.networks.sandbox.network import mine_block
from payments.payouts.destinations import BadDestination, check_destination
from payments.rates.current import current_rates
from payments.rates.sources import KNOWN
from payments.sync.follower import poll
from payments.sync.node_listener import addresses
from payments.sync.sandbox_plays import play
from shop.cart.contents import SESSION_KEY
from shop.models import Order
from shop.tests.factories import ADDRESS, CartItemFactory, ProductFactory
from tests.fake_bitcoind import FakeBitcoind

pytestmark = pytest.mark.django_db(transaction=True)

KTL = COINS["KTL"]


@pytest.fixture
def cart(client):
    """Two things of 49.99, in this visitor's cart."""
    item = CartItemFactory(quantity=2)
    session = client.session
    session[SESSION_KEY] = str(item.cart_id)
    session.save()
    return item


def choose_a_coin(client):
    client.post("/checkout/", {**ADDRESS, "email": "ada@example.com"})
    return client.get("/checkout/payment/").text


def buy(client):
    page = choose_a_coin(client)
    form = {name: re.search(f'name="{name}" value="([^"]*)"', page)[1] for name in ("token", "agreed")}
    answer = client.post("/checkout/payment/", {**form, "network": "KTL"})
    return Order.objects.get(), client.get(answer["Location"]).text


def hear_of_it(blocks=0):
    """The follower's turn after so many more blocks, and the verdict of each invoice that it touched."""
    for _ in range(blocks):
        mine_block("KTL", timezone.now() + timedelta(minutes=1))
    return [settle(invoice_id, at=timezone.now()).status for invoice_id in poll("KTL", at=timezone.now())]


def test_an_order_can_be_paid_with_the_new_coin_in_the_sandbox(client, cart):
    SandboxChain.objects.create(network="KTL", height=100, mined_at=timezone.now() + timedelta(hours=1))
    page = choose_a_coin(client)
    assert ("Kettlecoin" in page, "39.99200000 KTL" in page, "img/ktl.svg" in page) == (True, True, True)

    order, page = buy(client)

    invoice, option = Invoice.objects.get(), Option.objects.get()
    assert (option.network, option.due_base) == ("KTL", 39_99200000)
    assert option.destination.startswith("rktl1q")
    assert f"kettlecoin:{option.destination}?amount=39.992&amp;label=" in page

    play(invoice.pk, "exact", at=timezone.now())
    assert hear_of_it() == ["processing"]
    assert hear_of_it(blocks=2)[-1] == "settled"
    order.refresh_from_db()
    assert (order.status, order.payment_status) == ("processing", "paid")
    assert "pay__live--settled" in client.get(f"/pay/{invoice.pk}/").text


def test_an_order_over_the_api_can_be_paid_with_the_new_coin():
    api = ApiClient(UserFactory(email="ada@example.com"))
    items = [{"productId": str(ProductFactory().pk), "quantity": 1}]

    ordered = api.post("/api/orders", {"items": items, "cryptocurrency": "KTL", "shippingAddress": ADDRESS}).json()["data"]
    assert (ordered["cryptocurrency"], ordered["items"][0]["cryptocurrency"]) == ("KTL", "KTL")
    assert ordered["payment"]["uri"].startswith("kettlecoin:rktl1q")

    shown = api.get(f"/api/invoices/{ordered['payment']['invoiceId']}").json()["data"]
    assert (shown["network"], shown["amount"]) == ("KTL", "19.99600000")
    assert "KTL" in api.get("/api/rates").text
    assert '"KTL"' in api.get("/api/schema").text


def test_the_sandbox_price_of_the_new_coin_is_its_rate():
    assert current_rates()["KTL"].minor_per_coin == Decimal(250)


@pytest.mark.parametrize("name", KNOWN)
def test_each_rate_source_is_asked_for_the_code_of_the_new_coin(name):
    assert "KTL" in KNOWN[name]().path("KTL", "USD").upper()


def test_the_new_coin_is_listed_after_the_existing_coins():
    assert [state.code for state in network_states()] == ["BTC", "LTC", "XRP", "KTL"]


def test_the_settings_of_the_new_coin_are_read_and_its_node_replaces_the_sandbox(settings):
    assert (settings.KETTLECOIN_RPC_PORT, settings.KETTLECOIN_WALLET, settings.KETTLECOIN_NETWORK) == (22555, "cryptons", "mainnet")

    settings.KETTLECOIN_RPC_HOST, settings.KETTLECOIN_ZMQ = "127.0.0.1", ["tcp://127.0.0.1:28334"]

    assert list(networks()) == ["KTL"]
    assert addresses() == {"KTL": ["tcp://127.0.0.1:28334"]}


KEY = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B"


@pytest.fixture
def node(settings):
    """A node of the coin: it speaks Bitcoin Core's dialect, and its addresses begin with rktl1."""
    fake = FakeBitcoind()
    fake.chain.prefix = "rktl"
    fake.start()
    settings.KETTLECOIN_RPC_HOST, settings.KETTLECOIN_RPC_PORT = "127.0.0.1", fake.port
    settings.KETTLECOIN_RPC_USER, settings.KETTLECOIN_RPC_PASS = fake.user, fake.password
    settings.KETTLECOIN_NETWORK, settings.KETTLECOIN_DESCRIPTOR = "regtest", f"wpkh({KEY}/0/*)"
    yield fake
    fake.stop()


def turn():
    return [settle(invoice_id, at=timezone.now()).status for invoice_id in poll("KTL", at=timezone.now())]


def test_an_order_is_paid_with_the_new_coin_through_its_own_node(client, cart, node):
    order, page = buy(client)

    option = Option.objects.get()
    assert option.destination.startswith("rktl1q")
    assert f"kettlecoin:{option.destination}?amount=39.992&amp;label=" in page

    txid = node.pay(option.destination, option.due_base)
    assert turn() == ["processing"]
    node.mine(2)
    assert turn() == ["settled"]

    order.refresh_from_db()
    assert (order.payment_status, Payment.objects.get().reference.partition(":")[0]) == ("paid", txid)


def test_the_node_of_the_new_coin_checks_the_address_of_a_payout(node):
    address = node.buyers.getnewaddress("", "bech32")

    assert check_destination("KTL", f"kettlecoin:{address}?amount=1", 100_000, at=timezone.now()) == address
    with pytest.raises(BadDestination, match=r"Kettlecoin .* regtest"):
        check_destination("KTL", "bcrt1qnothere", 100_000, at=timezone.now())


def test_a_refused_login_names_the_settings_of_the_new_coins_node(node, settings):
    settings.KETTLECOIN_RPC_PASS = "wrong"
    assert "KETTLECOIN_RPC_USER and KETTLECOIN_RPC_PASS" in networks()["KTL"].health().problem


@pytest.mark.parametrize(
    "text",
    [
        "ktl1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8pfd2ea",
        "KTL1QR8R8R8R8R8R8R8R8R8R8R8R8R8R8R8R8PFD2EA",
        "kettlecoin:ktl1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8pfd2ea?amount=1",
    ],
)
def test_a_payout_accepts_an_address_of_the_new_coin(text):
    assert check_destination("KTL", text, 100_000, at=timezone.now()) == "ktl1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8pfd2ea"


def test_refusing_an_invalid_payout_address_names_the_new_coin():
    with pytest.raises(BadDestination, match="Kettlecoin"):
        check_destination("KTL", "???", 100_000, at=timezone.now())


@pytest.mark.parametrize("coin", [coin for coin in COINS.values() if coin is not KTL], ids=lambda coin: coin.code)
def test_each_coin_in_the_table_has_an_icon(coin):
    assert finders.find(coin.icon)
