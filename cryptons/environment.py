"""Read settings from the environment, an `.env` file or secret files; a wrong value raises ImproperlyConfigured.

For each NAME the first of these is used: the variable NAME, the contents of the file that NAME_FILE names, the default.
"""

import errno
import os
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from limits import parse as parse_limit

T = TypeVar("T")

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})


def load_dotenv(path: Path) -> None:
    """Add the variables of the file to the environment. Variables that are set already stay."""
    if not path.is_file():
        return
    try:
        path.read_text(encoding="utf-8")
        environ.Env.read_env(str(path))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"{path} must be a text file in UTF-8 that this user can read ({error}).") from error


def make_private(folder: Path) -> None:
    """Create DATA_DIR, readable by its owner alone; close one that others can read, and say so. One of another owner stays as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "this user may not write there")
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR must be a folder that can be written, not {str(folder)!r} ({error}).") from error
    if is_private(folder):
        return
    with suppress(PermissionError):
        folder.chmod(0o700)
        print(f"Other users of this machine could read the folder {folder}. Now only its owner can.", file=sys.stderr)


def is_private(folder: Path) -> bool:
    return not folder.stat().st_mode & 0o077


given: dict[str, str] = {}
"""Each setting that was read, as it was given or by default: for the audit log."""


def text(name: str, default: str = "") -> str:
    given[name] = value = _text(name, default)
    return value


def _text(name: str, default: str) -> str:
    value = os.environ.get(name)
    if value:
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ImproperlyConfigured(f"{name} must be text in UTF-8, not {value!r}.")
        return value
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE must name a readable text file, not {file!r} ({error}).") from error
    return default


def stored_secret(file: Path) -> str:
    """Return the secret that is kept in `file`. The first caller generates it, and it is on the disk before anybody uses it."""
    try:
        if not file.exists():
            part = file.with_name(f"{file.name}.{uuid4().hex}.part")
            with part.open("x", encoding="utf-8") as new:
                part.chmod(0o600)
                new.write(get_random_secret_key())
                new.flush()
                os.fsync(new.fileno())
            with suppress(FileExistsError):  # another process was first
                os.link(part, file)
            part.unlink()
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"DATA_DIR must be a folder that can be read and written; {file} cannot ({error}).") from error
    if not secret:
        raise ImproperlyConfigured(
            f"{file} is empty: restore it from a backup. Or delete it: a new key is generated, everybody must log in again, and links in "
            "mails that were sent before no longer work."
        )
    return secret


def _parsed(name: str, default: T, parse: Callable[[str], T | None], expected: str) -> T:
    value = text(name)
    if not value:
        return default
    parsed = parse(value.strip())
    if parsed is None:
        raise ImproperlyConfigured(f"{name} must be {expected}, not {value!r}.")
    return parsed


def boolean(name: str, default: bool) -> bool:
    def parse(value: str) -> bool | None:
        lowered = value.lower()
        return True if lowered in YES else False if lowered in NO else None

    return _parsed(name, default, parse, "true or false")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    def parse(value: str) -> int | None:
        try:
            number = int(value)
        except ValueError:
            return None
        return number if minimum <= number <= maximum else None

    return _parsed(name, default, parse, f"a whole number from {minimum} to {maximum}")


def decimal(name: str, default: str, *, minimum: str, maximum: str) -> Decimal:
    def parse(value: str) -> Decimal | None:
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
        return number if number.is_finite() and Decimal(minimum) <= number <= Decimal(maximum) else None

    return _parsed(name, Decimal(default), parse, f"a number from {minimum} to {maximum}")


def choice(name: str, default: str, options: Collection[str]) -> str:
    return _parsed(name, default, lambda value: value if value in options else None, "one of " + ", ".join(options))


def url(name: str, default: str = "", *, like: str, needs_port: bool = False) -> str:
    """Read the address of an HTTP server. The error does not repeat the value, which may have a password."""
    value = text(name, default).strip()
    try:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not value.isprintable()):
            raise ValueError
        if value and needs_port and parts.port is None:
            raise ValueError
    except ValueError:
        raise ImproperlyConfigured(f"{name} must look like {like}.") from None
    return value


def rate_limit(name: str, default: str) -> str:
    value = text(name, default)
    try:
        if parse_limit(value).amount < 1:
            raise ValueError
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a count and a time such as 100/15minutes, not {value!r}.") from None
    return value


def words(name: str, default: str = "") -> list[str]:
    """Read a comma-separated list. Spaces around the words are dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[str]:
    """Read a list of addresses and networks."""
    listed = words(name)
    for network in listed:
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must list addresses or networks such as 127.0.0.1 or 10.1.0.0/16, not {network!r}."
            ) from None
    return listed


def tiers(name: str, default: str) -> list[tuple[Decimal, int]]:
    """Read `50:1,1000:2,6`: prices below 50 need one confirmation, below 1000 two, all others six."""
    value = text(name, default)
    *others, last = value.split(",")
    try:
        parsed = [(Decimal(below), int(needed)) for below, needed in (tier.split(":") for tier in others)]
        parsed.append((Decimal("Infinity"), int(last)))
    except (ValueError, ArithmeticError):
        parsed = []
    if not parsed or parsed != sorted(parsed) or not all(1 <= needed <= 100 for _, needed in parsed):
        raise ImproperlyConfigured(f"{name} must look like 50:1,1000:2,6 with confirmations from 1 to 100, not {value!r}.")
    return parsed


def parse_fixed_prices(name: str, value: str) -> dict[str, Decimal]:
    """Read `fixed:BTC=65000.00,LTC=80.00` as {coin: price of one coin}; `live` is no fixed price."""
    if value == "live":
        return {}
    kind, _, pairs = value.partition(":")
    try:
        prices = {coin.strip(): Decimal(price) for coin, price in (pair.split("=") for pair in pairs.split(","))}
    except (ValueError, ArithmeticError):
        prices = {}
    if kind != "fixed" or not prices or not all(price.is_finite() and price > 0 for price in prices.values()):
        raise ImproperlyConfigured(f"{name} must be live, or fixed prices such as fixed:BTC=65000.00,LTC=80.00, not {value!r}.")
    return prices
