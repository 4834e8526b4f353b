"""Turn DATABASE_URL into an entry of Django's DATABASES."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

MONGO_SCHEMES = ("mongodb", "mongodb+srv")
POSTGRES_SCHEMES = ("postgres", "postgresql")

# An answer of success is a promise: what it says is on the disk, also when the power goes that moment. Each database is told so.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000; PRAGMA mmap_size=268435456;",
}
READ_PREFERENCES = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
MONGO_OPTIONS: dict[str, Any] = {
    "maxPoolSize": 10,
    "minPoolSize": 5,
    "socketTimeoutMS": 45_000,
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
}
FORGETFUL_COMMIT = re.compile(r"synchronous_commit\s*=\s*'?(off|false|no|0)\b", re.IGNORECASE)
POSTGRES_OPTIONS = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that is gone without a word, as when its machine loses power, is noticed after half a minute, not after hours."""
POSTGRES_POOL = {"min_size": 2, "max_size": 10, "timeout": 5}
RECONNECT_SECONDS = 5
"""How long psycopg's pool tries to connect again. Its pauses grow with each try; after this time the next request makes it try."""

# The wait for a replica is short, because the primary can answer the same queries.
MONGO_REPLICA = {"serverSelectionTimeoutMS": 1_000, "connectTimeoutMS": 1_000, "socketTimeoutMS": 5_000}
POSTGRES_REPLICA = {"connect_timeout": 2, "tcp_user_timeout": 5_000}
REPLICA_POOL_SECONDS = 1


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def is_mongo(url: str) -> bool:
    return _scheme(url) in MONGO_SCHEMES


def read_database(name: str, url: str) -> dict[str, Any]:
    """Return the entry of DATABASES for `url`. Options in its query override the defaults.

    Raises ImproperlyConfigured with a sentence that names the setting `name`.
    """
    scheme = _scheme(url)
    if scheme == "sqlite":
        return _sqlite(name, url)
    if scheme in POSTGRES_SCHEMES:
        return _postgres(name, url)
    if scheme in MONGO_SCHEMES:
        return _mongo(name, url)
    raise ImproperlyConfigured(f"{name} must start with sqlite:///, postgres:// or mongodb://.")


def replica_entry(url: str, replica: str, preference: str) -> dict[str, Any] | None:
    """Return the entry for reads that may be late, or None.

    PostgreSQL's replica has an address of its own; MongoDB's driver finds the secondaries.
    """
    if replica and (_scheme(url) not in POSTGRES_SCHEMES or _scheme(replica) not in POSTGRES_SCHEMES):
        raise ImproperlyConfigured(
            "DATABASE_REPLICA_URL must start with postgres://, as DATABASE_URL; for MongoDB set DATABASE_READ_PREFERENCE."
        )
    if preference != "primary" and not is_mongo(url):
        raise ImproperlyConfigured(
            "DATABASE_READ_PREFERENCE must be left out unless DATABASE_URL is MongoDB's; for PostgreSQL set DATABASE_REPLICA_URL."
        )
    if replica:
        entry = read_database("DATABASE_REPLICA_URL", replica)
        given = parse_qs(urlsplit(replica).query)
        options = {**entry["OPTIONS"], **{name: value for name, value in POSTGRES_REPLICA.items() if name not in given}}
        if "pool_timeout" not in given:
            options["pool"] = {**options["pool"], "timeout": REPLICA_POOL_SECONDS}
        return entry | {"OPTIONS": options, "TEST": {"MIRROR": "default"}}
    if preference != "primary":
        entry = read_database("DATABASE_URL", url)
        quick = {name: value for name, value in MONGO_REPLICA.items() if name in entry["OPTIONS"]}  # the address sets the others
        options = {**entry["OPTIONS"], **quick, "readPreference": preference, "readConcernLevel": "local"}
        return entry | {"OPTIONS": options, "TEST": {"MIRROR": "default"}}
    return None


def _sqlite(name: str, url: str) -> dict[str, Any]:
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise ImproperlyConfigured(f"{name} must name a file, such as sqlite:////srv/shop/cryptons.sqlite3.")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "CONN_MAX_AGE": None, "OPTIONS": SQLITE_OPTIONS}


def _postgres(name: str, url: str) -> dict[str, Any]:
    """Read the address: `pool_min_size`, `pool_max_size` and `pool_timeout` set psycopg's pool; all other options are libpq's."""
    try:
        entry: dict[str, Any] = environ.Env.db_url_config(url)
        if not entry["NAME"] or not entry["HOST"]:
            raise ValueError("the host or the database is missing")
        query = {key: values[-1] for key, values in parse_qs(urlsplit(url).query).items()}
        pool = {key: int(query.pop(f"pool_{key}", default)) for key, default in POSTGRES_POOL.items()}
        if FORGETFUL_COMMIT.search(query.get("options", "")):
            raise ImproperlyConfigured(f"{name} must not turn synchronous_commit off: a power cut would undo orders and payouts.")
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must look like postgres://user:password@host:5432/cryptons. Percent-encode what has a meaning in an address where it "
            "belongs to the password, such as # as %23 and / as %2F."
        ) from error
    options = {**POSTGRES_OPTIONS, **query, "pool": {**pool, "reconnect_timeout": RECONNECT_SECONDS}}
    return entry | {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 0, "OPTIONS": options}


def _mongo(name: str, url: str) -> dict[str, Any]:
    try:
        parsed = parse_uri(url)
    except (PyMongoError, ValueError) as error:
        raise ImproperlyConfigured(f"{name} must look like mongodb://host1,host2/cryptons?replicaSet=rs0 ({error}).") from error
    if not parsed["database"]:
        raise ImproperlyConfigured(f"{name} must name the database after the last slash, as in mongodb://host/cryptons?replicaSet=rs0.")
    given = {option.lower(): value for option, value in parsed["options"].items()}
    if given.get("w", "majority") != "majority" or given.get("journal") is False:
        raise ImproperlyConfigured(
            f"{name} must not set w or journal, unless to w=majority and journal=true: otherwise a crash can undo orders and payouts."
        )
    defaults = {option: value for option, value in MONGO_OPTIONS.items() if option.lower() not in given}
    if "minPoolSize" in defaults:
        defaults["minPoolSize"] = min(defaults["minPoolSize"], given.get("maxpoolsize") or defaults["minPoolSize"])
    return {"ENGINE": "cryptons.mongodb", "NAME": parsed["database"], "HOST": url, "OPTIONS": defaults}
