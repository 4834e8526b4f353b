"""A Redis that hangs is waited for once by all of the process."""

import socket
from threading import Thread

import pytest
import redis

from cryptons import redis_connection
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.redis_connection import connection_class
from tests.running import wait_for


class Hanging:
    """Takes connections and says what it is told to: nothing, at first."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}/0"
        self.taken = []
        self.speaks = False
        Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                self.taken.append(self.listener.accept()[0])
            except OSError:
                return
            Thread(target=self.answer, args=(self.taken[-1],), daemon=True).start()

    def answer(self, client):
        while told := client.recv(10_000):
            if self.speaks:
                client.sendall(b"+PONG\r\n" * told.count(b"*"))

    def stop(self):
        self.listener.close()
        for client in self.taken:
            client.close()


@pytest.fixture
def server():
    server = Hanging()
    yield server
    server.stop()


@pytest.fixture
def now(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(redis_connection, "_circuit", CircuitBreaker(rest_seconds=2, clock=lambda: now[0]))
    return now


def client_of(url, *, seconds=0.2):
    return redis.Redis.from_url(url, connection_class=connection_class(url), socket_timeout=seconds, protocol=2)


def ask(client):
    """Whether it answers."""
    try:
        return client.ping()
    except redis.TimeoutError:
        return False


def test_redis_is_not_asked_again_at_once_after_a_timeout(server, now):
    assert not ask(client_of(server.url))
    wait_for("the server to notice", lambda: server.taken)

    for _ in range(3):
        assert not ask(client_of(server.url))
    assert len(server.taken) == 1


def test_redis_is_asked_again_once_the_circuit_has_closed(server, now):
    assert not ask(client_of(server.url))
    server.speaks = True
    client = client_of(server.url, seconds=60)
    assert not ask(client)

    now[0] += 2
    assert ask(client)
    assert ask(client_of(server.url, seconds=60))


def test_a_refused_connection_does_not_open_the_circuit(now):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    for _ in range(2):
        with pytest.raises(redis.ConnectionError, match="refused"):
            client_of(url).ping()
    assert redis_connection._circuit.allows()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://h/0", redis.connection.Connection),
        ("rediss://h/0", redis.connection.SSLConnection),
        ("unix:///run/redis.sock", redis.connection.UnixDomainSocketConnection),
    ],
)
def test_the_connection_class_fits_the_scheme_of_the_url(url, kind):
    pool = redis.ConnectionPool.from_url(url, connection_class=connection_class(url))
    assert isinstance(pool.make_connection(), kind)
