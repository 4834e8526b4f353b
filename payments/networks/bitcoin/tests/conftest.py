from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from cryptons.coins import BITCOIN
from payments.networks.bitcoin.issued_addresses import NONE_ISSUED
from payments.networks.bitcoin.network import BitcoinNetwork
from tests.fake_bitcoind import FakeBitcoind

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
