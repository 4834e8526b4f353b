"""`.env.example` and the settings name the same things, and a wrong value stops the start with a sentence that names it."""

import ast
import os
import re
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from cryptons.coins import core_coins

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "cryptons" / "settings.py"
WRONG_BY_KIND = {"boolean": "perhaps", "integer": "-1", "decimal": "much", "choice": "nowhere"}
WRONG_TEXTS = {
    "CURRENCY": "EURO",
    "DATABASE_REPLICA_URL": "mysql://db/x",
    "DATABASE_URL": "oracle://db",
    "ELASTICSEARCH_URL": "search:9200",
    "LANGUAGES": "en,xx",
    "PUBLIC_URL": "shop.example",
    "RATE_LIMIT_ACCOUNT_MAILS": "5",
    "RATE_LIMIT_API": "many",
    "RATE_LIMIT_AUTH": "-5/minute",
    "RATE_LIMIT_CART": "0/minute",
    "RATE_LIMIT_CHECKOUT": "20",
    "RATE_LIMIT_KEY": "600/moment",
    "RATE_LIMIT_LOGINS": "20/moment",
    "RATE_LIMIT_ORDER_MAILS": "10/never",
    "REDIS_URL": "http://redis",
    "SECRET_KEY": "short",
    "STAFF_EMAIL": "ada@example.com, grace",
    "STAFF_MAILS": "orders,gossip",
    "TIME_ZONE": "Mars/Olympus",
    "WEBHOOK_SECRET": "whsec_?",
    "XRP_URL": "rippled:5005",
}


def reads() -> dict[str, tuple[str, str | None]]:
    """Each name that the settings read: the kind, and the default where it is written out."""
    found = {}
    for node in ast.walk(ast.parse(SETTINGS.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not isinstance(node.func.value, ast.Name):
            continue
        if node.func.value.id != "env" or node.func.attr == "load_dotenv":
            continue
        name, *rest = node.args
        default = rest[0] if rest else ast.Constant("")
        kind = (node.func.attr, plain(default.value) if isinstance(default, ast.Constant) else None)
        found.update(dict.fromkeys(names_of(name), kind))
    return found


def names_of(argument: ast.expr) -> list[str]:
    """Of `"NAME"` that one; of `coin.setting("NAME")` that of each coin whose node speaks Bitcoin Core's dialect; of a variable none."""
    match argument:
        case ast.Constant(str(name)):
            return [name]
        case ast.Call(ast.Attribute(ast.Name("coin"), "setting"), [ast.Constant(name)]):
            return [coin.setting(name) for coin in core_coins()]
        case ast.Name("name"):  # a name that is listed by its own call
            return []
    raise AssertionError(f"The settings read a name that this test cannot find: {ast.unparse(argument)}")


def plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("_", "") if isinstance(value, int) else str(value)


def examples() -> dict[str, tuple[str, str]]:
    """Each name of `.env.example`: the line above it, and the default."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    found = {}
    for above, line in pairwise(lines):
        if match := re.fullmatch(r"#([A-Z][A-Z0-9_]*)=(.*)", line):
            assert match[1] not in found, f"{match[1]} stands there twice"
            found[match[1]] = (above, match[2])
    return found


def test_env_example_lists_exactly_the_settings_that_are_read():
    assert set(examples()) == set(reads())


def test_env_example_explains_each_setting():
    assert [name for name, (above, _) in examples().items() if not re.match(r"# \w", above)] == []


@pytest.mark.parametrize("name", [name for name, (_, default) in reads().items() if default is not None])
def test_env_example_lists_the_real_default_of_each_setting(name: str):
    assert examples()[name][1] == reads()[name][1]


@pytest.mark.parametrize("name", [name for name, (kind, _) in reads().items() if kind in WRONG_BY_KIND])
def test_a_setting_of_the_wrong_type_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, WRONG_BY_KIND[reads()[name][0]])

    with pytest.raises(ImproperlyConfigured, match=f"^{name} must be .*{WRONG_BY_KIND[reads()[name][0]]}"):
        runpy.run_path(str(SETTINGS))


@pytest.mark.parametrize("name", WRONG_TEXTS)
def test_an_invalid_text_setting_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, WRONG_TEXTS[name])

    with pytest.raises(ImproperlyConfigured, match=f"^{name} must "):
        runpy.run_path(str(SETTINGS))


XRP = {"XRP_URL": "http://rippled:5005", "XRP_ADDRESS": "rExample"}


@pytest.mark.parametrize(("given", "missing"), [("XRP_URL", "XRP_ADDRESS"), ("XRP_ADDRESS", "XRP_URL")])
def test_the_xrp_url_and_the_xrp_address_must_be_set_together(given: str, missing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(given, XRP[given])

    with pytest.raises(ImproperlyConfigured, match=f"^{missing} must be set when {given} is"):
        runpy.run_path(str(SETTINGS))


def test_rates_are_live_when_an_xrp_server_is_set(monkeypatch: pytest.MonkeyPatch):
    assert runpy.run_path(str(SETTINGS))["RATES"].startswith("fixed:")

    for name, value in XRP.items():
        monkeypatch.setenv(name, value)

    assert runpy.run_path(str(SETTINGS))["RATES"] == "live"


@pytest.mark.parametrize("command", ["check", "serve", "migrate"])
def test_a_wrong_setting_prints_one_sentence_and_no_traceback(command: str):
    ended = subprocess.run(
        [sys.executable, "manage.py", command], cwd=ROOT, env=os.environ | {"PORT": "many"}, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == "Cryptons cannot start: PORT must be a whole number from 1 to 65535, not 'many'.\n"
