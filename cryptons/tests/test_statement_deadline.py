"""A PostgreSQL that accepts connections and then never answers."""

import socket
import struct
import threading

import pytest
from psycopg import OperationalError

from cryptons.statement_deadline import DeadlineConnection, limit_statements

AUTHENTICATED = b"R" + struct.pack("!II", 8, 0)
READY = b"Z" + struct.pack("!I", 5) + b"I"


@pytest.fixture
def silent_postgres():
    """Logs the client in, and says nothing more. The address of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def log_in():
            with server.accept()[0] as connection:
                (length,) = struct.unpack("!I", connection.recv(4))
                connection.recv(length - 4)
                connection.sendall(AUTHENTICATED + READY)
                while connection.recv(1000):
                    pass

        threading.Thread(target=log_in, daemon=True).start()
        yield f"host=127.0.0.1 port={server.getsockname()[1]} user=shop dbname=shop sslmode=disable gssencmode=disable"


def test_a_statement_that_the_server_never_answers_is_given_up_with_its_connection(silent_postgres, monkeypatch):
    monkeypatch.setattr(DeadlineConnection, "statement_seconds", 0.2)
    connection = DeadlineConnection.connect(silent_postgres)

    with pytest.raises(OperationalError, match=r"did not answer within 0\.2 s"):
        connection.execute("SELECT 1")

    assert connection.closed


def test_each_pool_of_postgresql_in_the_web_process_gets_the_deadline_and_nothing_else_does(monkeypatch):
    databases = {"default": {"OPTIONS": {"pool": {"min_size": 2}, "options": "-c jit=off"}}, "replica": {"OPTIONS": {"timeout": 20}}}
    monkeypatch.setattr("cryptons.statement_deadline.connections.settings", databases)

    limit_statements()

    assert databases == {
        "default": {
            "OPTIONS": {
                "pool": {"min_size": 2, "connection_class": DeadlineConnection},
                "options": "-c jit=off -c statement_timeout=11s",
            }
        },
        "replica": {"OPTIONS": {"timeout": 20}},
    }
