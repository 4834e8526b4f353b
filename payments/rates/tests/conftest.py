from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from payments.rates.tests.exchanges import NAMES, Exchanges


@pytest.fixture
def exchanges(settings: Settings) -> Iterator[Exchanges]:
    server = Exchanges()
    server.start()
    settings.FIXED_RATES = {}
    settings.RATE_SOURCES = [f"{name}={server.address}" for name in NAMES]
    yield server
    server.stop()
