"""The start takes each value of a setting, or stops with a sentence that names the setting. Never a traceback."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import registry
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from cryptons.serving.preparation import check_staff_settings

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "cryptons" / "settings.py"
CODE = compile(SETTINGS.read_text(encoding="utf-8"), SETTINGS, "exec")
NAMES = re.findall(r"^#([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
WRONG = ["-1", "1e999", "9" * 5000, "müller 中", "\udcff", "line\nbreak", 'a,b;c:d@e"', "/dev/null/x", "http://["]
WRONG_ADDRESSES = [
    "%",
    "://",
    "x://h:99999/y?z#w",
    *[
        f"{scheme}://user:pa#ss@h:x/"
        for scheme in ("http", "smtp", "redis", "postgres", "mongodb", "mongodb+srv", "tcp", "amqp", "nothing")
    ],
    "mongodb://h1,h2:99999/x?replicaSet=",
    "postgres://h/x?pool_max_size=y",
    "postgres://h:99999/x",
    "sqlite:////nowhere/at/all/x.sqlite3",
    "unix://",
]
WITH = {
    "BITCOIN_RPC_HOST": {"BITCOIN_RPC_USER": "shop", "BITCOIN_RPC_PASS": "x"},
    "LITECOIN_RPC_HOST": {"LITECOIN_RPC_USER": "shop", "LITECOIN_RPC_PASS": "x"},
    "BITCOIN_DESCRIPTOR": {"BITCOIN_RPC_HOST": "node", "BITCOIN_RPC_USER": "shop", "BITCOIN_RPC_PASS": "x"},
    "BITCOIN_WALLET": {"BITCOIN_RPC_HOST": "node", "BITCOIN_RPC_USER": "shop", "BITCOIN_RPC_PASS": "x"},
    "LND_HOST": {"LND_MACAROON": "00"},
    "LND_MACAROON": {"LND_HOST": "node"},
    "LND_TLS_CERT": {"LND_HOST": "node", "LND_MACAROON": "00"},
    "TLS_CERTIFICATE": {"TLS_KEY": "/nowhere/key.pem"},
    "TLS_KEY": {"TLS_CERTIFICATE": "/nowhere/certificate.pem"},
    "XRP_URL": {"XRP_ADDRESS": "rrrrrrrrrrrrrrrrrrrrrhoLvTp"},
    "XRP_ADDRESS": {"XRP_URL": "http://node:5005"},
}
"""Settings without which the one that is tried is not used."""


def no_address(*args: Any, **kwargs: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture(autouse=True)
def _nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    monkeypatch.chdir(tmp_path)  # a DATA_DIR of any name is made here


def our_checks() -> Iterator[Any]:
    """The checks of the start. Those of the database need a connection: cryptons/tests/test_databases.py."""
    for check in registry.registry.get_checks(include_deployment_checks=True):
        if check.__module__.partition(".")[0] in ("cryptons", "accounts", "payments", "shop") and check.__module__ != "cryptons.checks":
            yield check


def start() -> None:
    """Read the settings, and check them as the start does."""
    values: dict[str, Any] = {"__name__": "settings", "__file__": str(SETTINGS)}
    exec(CODE, values)
    tested = {name: value for name, value in values.items() if name in NAMES or name in ("FIXED_RATES",)}
    with override_settings(**tested):
        for check in our_checks():
            check()
        check_staff_settings()


def outcome() -> str:
    """Return "" if the start takes the settings, the sentence that it stops with, or the error that it did not expect."""
    try:
        start()
    except ImproperlyConfigured as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_value_is_taken_or_ends_with_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch):
    for other, value in WITH.get(name, {}).items():
        monkeypatch.setenv(other, value)
    sentence = re.compile(rf"({name}\b|/).*[.)]")
    outcomes = {}
    for value in [*WRONG, *(WRONG_ADDRESSES if name.endswith(("HOST", "HOSTS", "ORIGINS", "PROXIES", "URL", "ZMQ")) else [])]:
        monkeypatch.setenv(name, value)
        outcomes[value[:60]] = outcome()

    assert {value: text for value, text in outcomes.items() if text and not sentence.fullmatch(text)} == {}
