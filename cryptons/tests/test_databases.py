"""Which database DATABASE_URL means, and what is refused at the start."""

from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connection

from cryptons import checks
from cryptons.checks import check_database, database_problem, durability, standalone_problem
from cryptons.databases import read_database, replica_entry

pytestmark = pytest.mark.database


def read(url):
    return read_database("DATABASE_URL", url)


def test_a_sqlite_url_configures_write_ahead_logging():
    entry = read("sqlite:////srv/shop.sqlite3")
    assert (entry["ENGINE"], entry["NAME"]) == ("django.db.backends.sqlite3", "/srv/shop.sqlite3")
    assert entry["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in entry["OPTIONS"]["init_command"]


def test_a_postgres_url_can_set_the_size_of_the_connection_pool():
    entry = read("postgres://shop:p%40ss@db.example:5433/cryptons?sslmode=require&pool_max_size=4")
    assert (entry["NAME"], entry["USER"], entry["PASSWORD"]) == ("cryptons", "shop", "p@ss")
    assert (entry["HOST"], entry["PORT"], entry["CONN_MAX_AGE"]) == ("db.example", 5433, 0)
    assert entry["OPTIONS"]["sslmode"] == "require"
    assert entry["OPTIONS"]["pool"] == {"min_size": 2, "max_size": 4, "timeout": 5, "reconnect_timeout": 5}


def test_a_postgres_that_is_gone_without_a_word_is_noticed_and_the_address_may_say_when():
    entry = read("postgres://db.example/cryptons?tcp_user_timeout=9000")
    assert entry["OPTIONS"] | {"pool": None} == {
        "connect_timeout": 5,
        "keepalives_idle": 20,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": "9000",
        "pool": None,
    }


def test_a_mongodb_url_can_set_the_size_of_the_connection_pool():
    entry = read("mongodb://a,b,c/cryptons?replicaSet=rs0")
    assert entry["NAME"] == "cryptons"
    assert {name: entry["OPTIONS"][name] for name in ("maxPoolSize", "minPoolSize", "socketTimeoutMS")} == {
        "maxPoolSize": 10,
        "minPoolSize": 5,
        "socketTimeoutMS": 45_000,
    }
    entry = read("mongodb://a/cryptons?replicaSet=rs0&maxPoolSize=3&socketTimeoutMS=1000&w=majority")
    assert {"maxPoolSize", "socketTimeoutMS", "w"}.isdisjoint(entry["OPTIONS"])
    assert entry["OPTIONS"]["minPoolSize"] == 3


@pytest.mark.parametrize(
    "url",
    [
        "oracle://db/x",
        "cryptons.sqlite3",
        "sqlite:///",
        "postgres://db",
        "postgres://db/x?pool_max_size=many",
        "mongodb://",
        "mongodb://host/",
        "mongodb://host/x?maxPoolSize=",
    ],
)
def test_an_invalid_database_url_is_refused_with_a_message_that_names_the_setting(url):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL must .*\.$"):
        read(url)


@pytest.mark.django_db
def test_each_connection_acknowledges_a_commit_only_when_it_is_on_the_disk():
    connection.ensure_connection()
    if connection.vendor == "mongodb":
        assert connection.connection.write_concern.document == {"w": "majority", "j": True}
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous" if connection.vendor == "sqlite" else "SHOW synchronous_commit")
        assert cursor.fetchone()[0] in (2, "on")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db.example/x?options=-c%20synchronous_commit%3Doff",
        "postgres://db.example/x?options=--synchronous_commit%3DFALSE",
        "mongodb://a/cryptons?replicaSet=rs0&w=1",
        "mongodb://a/cryptons?replicaSet=rs0&w=0",
        "mongodb://a/cryptons?replicaSet=rs0&journal=false",
    ],
)
def test_a_url_by_which_a_power_cut_undoes_what_was_acknowledged_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL must not .* undo orders and payouts\.$"):
        read(url)


@pytest.mark.parametrize(
    ("session", "found"),
    [
        ({"synchronous_commit": "off", "fsync": "on"}, ["cryptons.E003"]),
        ({"synchronous_commit": "on", "fsync": "off"}, ["cryptons.W001"]),
        ({"synchronous_commit": "on", "fsync": "on"}, []),
        ({"synchronous_commit": "local", "fsync": "on"}, []),
    ],
)
def test_a_postgresql_that_answers_before_it_has_written_is_reported_at_the_start(session, found):
    assert [message.id for message in durability(session.__getitem__)] == found


POSTGRES, MONGO = "postgres://shop@one/cryptons", "mongodb://a,b,c/cryptons?replicaSet=rs0"


def test_a_postgres_replica_is_read_from_its_own_url():
    entry = replica_entry(POSTGRES, "postgres://reader@two/cryptons", "primary")
    assert (entry["HOST"], entry["USER"]) == ("two", "reader")
    assert entry["OPTIONS"]["pool"] == {"min_size": 2, "max_size": 10, "timeout": 1, "reconnect_timeout": 5}


def test_a_replica_has_short_timeouts_unless_its_url_sets_others():
    entry = replica_entry(POSTGRES, "postgres://reader@two/cryptons?connect_timeout=9&pool_timeout=8", "primary")
    assert (entry["OPTIONS"]["connect_timeout"], entry["OPTIONS"]["pool"]["timeout"]) == ("9", 8)
    assert replica_entry(POSTGRES, "postgres://two/cryptons", "primary")["OPTIONS"]["connect_timeout"] == 2
    assert replica_entry(MONGO, "", "secondary")["OPTIONS"]["serverSelectionTimeoutMS"] == 1_000
    assert "socketTimeoutMS" not in replica_entry(f"{MONGO}&socketTimeoutMS=9", "", "secondary")["OPTIONS"]


def test_only_replica_reads_go_to_the_secondaries_of_mongodb():
    entry = replica_entry(MONGO, "", "secondaryPreferred")
    assert (entry["HOST"], entry["OPTIONS"]["readPreference"]) == (MONGO, "secondaryPreferred")
    assert "readPreference" not in read(MONGO)["OPTIONS"]


@pytest.mark.parametrize("url", [POSTGRES, MONGO, "sqlite:////srv/shop.sqlite3"])
def test_no_replica_is_configured_by_default(url):
    assert replica_entry(url, "", "primary") is None


@pytest.mark.parametrize(
    ("url", "replica", "preference"),
    [
        (MONGO, "mongodb://d/cryptons", "primary"),
        ("sqlite:////srv/shop.sqlite3", POSTGRES, "primary"),
        (POSTGRES, "sqlite:////srv/copy.sqlite3", "primary"),
        (POSTGRES, "", "secondary"),
    ],
)
def test_a_replica_of_another_database_kind_is_refused(url, replica, preference):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_RE\w+ must .*\.$"):
        replica_entry(url, replica, preference)


@pytest.mark.parametrize("hello", [{"setName": "rs0"}, {"msg": "isdbgrid"}])
def test_a_mongodb_replica_set_and_a_router_are_accepted(hello):
    assert standalone_problem(hello) == ""


def test_a_standalone_mongodb_is_refused_with_instructions():
    problem = standalone_problem({"isWritablePrimary": True})
    assert "--replSet" in problem
    assert "rs.initiate()" in problem


@pytest.mark.django_db
def test_the_database_of_the_test_suite_passes_the_check():
    """Its PostgreSQL may run with fsync off, for speed: that is a warning."""
    assert [message for message in check_database() if message.is_serious()] == []


def test_an_unreachable_database_fails_the_check_without_revealing_secrets(monkeypatch):
    def away():
        raise OperationalError("password=secret")

    monkeypatch.setattr(checks, "ping", away)
    (error,) = check_database()
    assert error.id == "cryptons.E001"
    assert "DATABASE_URL" in error.msg
    assert "secret" not in error.msg


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("unable to open database file", "may read and write the folder DATA_DIR"),
        ("attempt to write a readonly database", "can only be read"),
        ("database or disk is full", "is full. Free some space."),
        ("disk I/O error", "Check it"),
        ("database disk image is malformed", "Restore it from a backup"),
        ("file is not a database", "Restore it from a backup"),
        ("database is locked", "locked by another process"),
    ],
)
def test_each_trouble_with_the_database_file_says_what_to_do(monkeypatch, message, says):
    monkeypatch.setattr(checks, "connection", SimpleNamespace(vendor="sqlite", settings_dict={"NAME": "/srv/shop.sqlite3"}))
    problem = database_problem(OperationalError(message))
    assert says in problem
    assert "/srv/shop.sqlite3" in problem


@pytest.mark.parametrize(
    ("error", "is_named"), [(OperationalError("connection refused"), True), (ProgrammingError("no such table"), False)]
)
def test_an_unreachable_server_is_named_and_a_bug_is_not_hidden(monkeypatch, error, is_named):
    monkeypatch.setattr(checks, "connection", SimpleNamespace(vendor="postgresql"))
    assert ("does not answer" in database_problem(error)) is is_named
