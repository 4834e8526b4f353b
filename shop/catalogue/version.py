"""Versions of what public pages show: texts that all processes share. What was cached under an older version is no longer shown.

`catalogue_version` belongs to lists, `category_version` to the tree of categories, `settings_version` to the shop's own settings, and
each product has a version of its own. A page belongs to the versions of all that it shows.

On one machine versions are numbers in memory that its processes share: reading one costs less than a microsecond and never waits, and a
change is seen at once. With Redis, where several machines may serve the shop, they are tokens in the shared cache, which each process
reads at most once a second; that may wait for Redis.
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from django.conf import settings
from django.core.cache import caches

from cryptons.db import on_commit
from cryptons.replica import has_replica
from cryptons.response_cache import OUTAGE, distrust
from cryptons.version_file import VersionFile

LISTS, CATEGORIES, SETTINGS, PRODUCTS = KEYS = ("catalogue-version", "category-version", "settings-version", "product-versions")
"""With Redis, the last one is renewed with the version of any product: until then a process need not read a product's version again."""
INDEX_BEHIND = "search-index-behind"
REMEMBER_SECONDS = 1
PRODUCT_SECONDS = 7200
"""How long a product's version is stored: longer than anything is cached under the version of before."""
MAX_PRODUCTS = 10_000
MANY = 100
"""With more products at once, everything is renewed: that costs less than a token for each."""
LATE_SECONDS = 15
"""A replica rarely lags by more than this."""
OUTAGE_SECONDS = 5
"""How long a version lasts while the cache is down."""


@dataclass(frozen=True)
class _Known:
    tokens: Mapping[str, str]
    until: int
    """The monotonic nanosecond until which this process does not read the tokens again."""
    products: dict[str, str] = field(default_factory=dict)
    """Versions of products that were read since PRODUCTS was renewed."""


_known: _Known | None = None
_owes = False
"""Whether a renewal failed because the cache was down. The cache may come back with the old tokens."""


def catalogue_version() -> str:
    """Return the version of lists. Read it before the rows that are cached under it: nothing old must be kept under a new version."""
    return _version(LISTS)


def category_version() -> str:
    """Return the version of the tree of categories; read it before the rows."""
    return _version(CATEGORIES)


def settings_version() -> str:
    """Return the version of the shop's own settings; read it before the row."""
    return _version(SETTINGS)


def product_version(name: str) -> str:
    """Return the version of one product, by id or slug as its address has it; read it before the row."""
    return _version(_product_key(name))


def refresh_versions() -> None:
    """Read the tokens from Redis, which may wait for it. For REMEMBER_SECONDS nobody in this process reads them again."""
    global _known
    tell_what_is_owed()
    tokens = {key: _token_of_outage() if _owes else _read(key) or _start(key) for key in KEYS}
    known = _known
    products = known.products if known and known.tokens[PRODUCTS] == tokens[PRODUCTS] else {}
    _known = _Known(tokens, time.monotonic_ns() + REMEMBER_SECONDS * 10**9, products)


def catalogue_changed() -> None:
    """Renew all public pages after the commit, or at once without a transaction: both versions that a product's page belongs to."""
    on_commit(lambda: _renew(CATEGORIES, LISTS))


def settings_changed() -> None:
    """Renew the shop's own settings after the commit, and all public pages, each of which shows some of them."""
    on_commit(lambda: _renew(SETTINGS, CATEGORIES, LISTS))  # a page that is made in between is kept under an old version


def lists_changed() -> None:
    """Renew lists after the commit, and the pages that contain one. What the API says of a single product stays."""
    on_commit(lambda: _renew(LISTS))


def products_changed(names: Iterable[str]) -> None:
    """Renew single products after the commit: by id what the API says, by slug the page."""
    changed = list(names)
    on_commit(lambda: _renew_products(changed) if len(changed) <= MANY else _renew(CATEGORIES, LISTS))


def index_behind() -> None:
    """Note after the commit that the search index lacks a change, so that the next sweep renews lists even if it is indexed by then."""
    on_commit(lambda: caches["shared"].set(INDEX_BEHIND, secrets.token_hex(8), timeout=None))


def read_index_behind() -> str:
    """Return a text that is empty if the index lacks nothing, and another one after each `index_behind`."""
    return _read(INDEX_BEHIND)


def index_caught_up(noted: str) -> None:
    """Forget the note, unless another change came after it was read."""
    if noted and noted == _read(INDEX_BEHIND):
        caches["shared"].delete(INDEX_BEHIND)


def tell_what_is_owed() -> None:
    """Renew all public pages if a renewal failed."""
    global _owes
    if _owes:
        _owes = not _store(SETTINGS, CATEGORIES, LISTS)


def _version(key: str) -> str:
    file = _file()
    return _aged(_number(file, key) if file else _token(key))


def _file() -> VersionFile | None:
    """Return the file of versions; None with Redis."""
    return None if settings.VERSIONS_FILE is None else _open_file(settings.VERSIONS_FILE)


@cache
def _open_file(path: Path) -> VersionFile:
    return VersionFile(path, own=(LISTS, CATEGORIES, SETTINGS))


def _number(file: VersionFile, key: str) -> str:
    """Read from the file. While a renewal is owed, or the file cannot be read, return a version that lasts a few seconds."""
    tell_what_is_owed()
    number = 0 if _owes else file.read(key)
    return f"{number // 10**9}.{number % 10**9}" if number else _token_of_outage()


def _token(key: str) -> str:
    """Return the token in Redis, as this process read it last. It is empty for a product that has not changed recently."""
    known = _tokens()
    if key in known.tokens:
        return known.tokens[key]
    products = known.products
    token = products.get(key)
    if token is None:
        if len(products) >= MAX_PRODUCTS:
            products.clear()
        token = products[key] = _read(key)
    return token


def _tokens() -> _Known:
    if _known is None or time.monotonic_ns() >= _known.until:
        refresh_versions()
    assert _known is not None
    return _known


def _product_key(name: str) -> str:
    return f"product-version:{name}"


def _read(key: str) -> str:
    token = caches["shared"].get(key)
    return token if isinstance(token, str) else ""


def _start(key: str) -> str:
    """Store the first token. While the cache is down, make one that lasts a few seconds: slower, but never stale for long."""
    caches["shared"].add(key, _new(), timeout=None)
    return _read(key) or _token_of_outage()


def _new() -> str:
    return f"{time.time_ns() // 10**9}.{secrets.token_hex(8)}"


def _token_of_outage() -> str:
    return f"{OUTAGE}{time.time_ns() // (OUTAGE_SECONDS * 10**9)}"


def _aged(token: str) -> str:
    """Add the token's age in seconds while a replica may lag behind the change, so that each version lasts one second only (D54)."""
    changed_at, _, rest = token.partition(".")
    if not has_replica() or not rest:
        return token
    age = time.time_ns() // 10**9 - int(changed_at)
    return f"{token}.{age}" if age < LATE_SECONDS else token


def _renew(*keys: str) -> None:
    global _known, _owes
    if not _store(*keys):
        _owes = True
    _known = None
    distrust()


def _renew_products(names: Iterable[str]) -> None:
    keys = [_product_key(name) for name in names]
    if _file():
        _renew(*keys)
        return
    caches["shared"].set_many(dict.fromkeys(keys, _new()), timeout=PRODUCT_SECONDS)
    _renew(PRODUCTS)


def _store(*keys: str) -> bool:
    """Store a new version for each key. Returns whether that succeeded."""
    if file := _file():
        return file.renew(*keys)
    token = _new()
    for key in keys:
        caches["shared"].set(key, token, timeout=None)
    return all(_read(key) == token for key in keys)
