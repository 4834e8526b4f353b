from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from cryptons.coins import BITCOIN
from payments.networks.bitcoin.issued_addresses import NONE_ISSUED
from payments.networks.bitcoin.network import BitcoinNetwork
from tests.fake_bitcoind import FakeBitcoind
from tests.fake_bitcoind.wallet_methods import WalletMethods

KEY = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B"
DESCRIPTOR = f"wpkh({KEY}/0/*)"


def take(settings: Settings, prefix: str, fake: FakeBitcoind) -> None:
    """The shop's settings about this node."""
    values = {"NETWORK": "regtest", "RPC_HOST": "127.0.0.1", "RPC_PORT": fake.port, "RPC_USER": fake.user, "RPC_PASS": fake.password}
    for name, value in {**values, "WALLET": "shop", "PAYOUT_WALLET": "", "DESCRIPTOR": DESCRIPTOR}.items():
        setattr(settings, f"{prefix}_{name}", value)


@pytest.fixture(autouse=True)
def no_orders_yet(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop has issued no address before, unless the test uses the database."""
    if request.node.get_closest_marker("django_db") is None:
        monkeypatch.setattr("payments.networks.bitcoin.wallet.issued_before", lambda coin: NONE_ISSUED)


@pytest.fixture
def bitcoind(settings: Settings) -> Iterator[FakeBitcoind]:
    """Without the shop's wallet, which the shop makes from BITCOIN_DESCRIPTOR."""
    fake = FakeBitcoind()
    fake.start()
    take(settings, "BITCOIN", fake)
    yield fake
    fake.stop()


@pytest.fixture
def litecoind(settings: Settings) -> Iterator[FakeBitcoind]:
    fake = FakeBitcoind(litecoin=True)
    fake.start()
    take(settings, "LITECOIN", fake)
    yield fake
    fake.stop()


@pytest.fixture
def network(bitcoind: FakeBitcoind) -> BitcoinNetwork:
    return BitcoinNetwork(BITCOIN)


@pytest.fixture
def funds(bitcoind: FakeBitcoind, settings: Settings) -> WalletMethods:
    """A wallet `payouts` with keys and three coins of 1 BTC."""
    settings.BITCOIN_PAYOUT_WALLET = "payouts"
    bitcoind.node.createwallet("payouts", load=True)
    wallet = WalletMethods(bitcoind.node, bitcoind.wallet("payouts"))
    for _ in range(3):
        bitcoind.pay(wallet.getnewaddress(), 100_000_000)
        bitcoind.mine()
    return wallet


@pytest.fixture
def target(bitcoind: FakeBitcoind) -> str:
    return bitcoind.buyers.getnewaddress()


@pytest.fixture
def watched(bitcoind: FakeBitcoind, settings: Settings) -> WalletMethods:
    """The shop's own wallet, which only watches, and the merchant's, which has the keys. One coin of 1 BTC."""
    bitcoind.node.createwallet("merchant")
    merchant = WalletMethods(bitcoind.node, bitcoind.wallet("merchant"))
    settings.BITCOIN_DESCRIPTOR = ""
    settings.BITCOIN_WALLET = "watched"
    bitcoind.node.createwallet("watched", True, True, load=True)
    bitcoind.wallet("watched").watch(merchant.wallet.descriptors[0].text, internal=False, last=99)
    bitcoind.pay(merchant.getnewaddress(), 100_000_000)
    bitcoind.mine()
    return merchant
