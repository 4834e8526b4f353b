"""A PostgreSQL that accepts connections and then never answers."""

import socket
import struct
import threading
from contextlib import suppress
from unittest.mock import Mock

import pytest
from psycopg import OperationalError
from psycopg.errors import CancellationTimeout

from cryptons.statement_deadline import DeadlineConnection, limit_statements

AUTHENTICATED = b"R" + struct.pack("!II", 8, 0)
KEY = struct.pack("!II", 7, 1234)
CANCEL = struct.pack("!II", 16, 80877102) + KEY
READY = b"Z" + struct.pack("!I", 5) + b"I"


@pytest.fixture
def cancelled():
    """The requests to cancel a statement that the server got."""
    return []


@pytest.fixture
def silent_postgres(cancelled):
    """Logs the client in, and says nothing more. The address of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def log_in():
            with server.accept()[0] as connection:
                (length,) = struct.unpack("!I", connection.recv(4))
                connection.recv(length - 4)
                connection.sendall(AUTHENTICATED + b"K" + struct.pack("!I", 12) + KEY + READY)
                connection.recv(1000)
                with suppress(OSError), server.accept()[0] as another:  # the test is over
                    cancelled.append(another.recv(1000))

        threading.Thread(target=log_in, daemon=True).start()
        yield f"host=127.0.0.1 port={server.getsockname()[1]} user=shop dbname=shop sslmode=disable gssencmode=disable"
        server.shutdown(socket.SHUT_RDWR)


def test_a_statement_that_the_server_never_answers_is_cancelled_and_given_up_with_its_connection(silent_postgres, cancelled, monkeypatch):
    monkeypatch.setattr(DeadlineConnection, "statement_seconds", 0.2)
    monkeypatch.setattr("cryptons.statement_deadline.CANCEL_SECONDS", 60)  # the server's thread may be slow
    connection = DeadlineConnection.connect(silent_postgres)

    with pytest.raises(OperationalError, match=r"did not answer within 0\.2 s"):
        connection.execute("SELECT 1")

    assert connection.closed
    assert cancelled == [CANCEL]


def test_a_server_that_does_not_take_the_request_to_cancel_either_is_not_waited_for(silent_postgres, monkeypatch):
    monkeypatch.setattr(DeadlineConnection, "statement_seconds", 0.1)
    monkeypatch.setattr(DeadlineConnection, "cancel_safe", Mock(side_effect=CancellationTimeout))
    connection = DeadlineConnection.connect(silent_postgres)

    with pytest.raises(OperationalError, match=r"did not answer within 0\.1 s"):
        connection.execute("SELECT 1")

    assert connection.closed
    connection.cancel_safe.assert_called_once_with(timeout=1)


def test_each_pool_of_postgresql_in_the_web_process_gets_the_deadline_and_nothing_that_a_pooler_would_refuse(monkeypatch):
    databases = {"default": {"OPTIONS": {"pool": {"min_size": 2}}}, "replica": {"OPTIONS": {"timeout": 20}}}
    monkeypatch.setattr("cryptons.statement_deadline.connections.settings", databases)

    limit_statements()

    assert databases == {
        "default": {"OPTIONS": {"pool": {"min_size": 2, "connection_class": DeadlineConnection}}},
        "replica": {"OPTIONS": {"timeout": 20}},
    }
