"""What a page gets when the address of Elasticsearch is one of a server that does not do its work."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from elasticsearch.dsl.connections import connections

from cryptons.circuit_breaker import CircuitBreaker
from cryptons.db import new_id
from shop.search import elasticsearch_engine
from shop.search.base import Query, SearchUnavailable
from shop.search.elasticsearch_engine import ElasticsearchEngine
from tests.running import wait_for

NOTHING = {"hits": {"total": {"value": 0}, "hits": []}, "aggregations": {}}


def answer(status: int, body: object) -> bytes:
    text = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} X\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


class Peer:
    """Listens, counts who comes, and does with each what it is told."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        self.act = act
        self.visits = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            threading.Thread(target=self._meet, args=(visitor,), daemon=True).start()

    def _meet(self, visitor: socket.socket) -> None:
        with visitor:
            visitor.recv(65_536)
            self.act(visitor)


def hang(visitor: socket.socket) -> None:
    time.sleep(2)


def drip(visitor: socket.socket) -> None:
    """A right answer, so slowly that no single read is late."""
    whole = answer(200, NOTHING)
    for start in range(0, len(whole), 20):
        visitor.sendall(whole[start : start + 20])
        time.sleep(0.15)


def overload(visitor: socket.socket) -> None:
    visitor.sendall(answer(429, {"error": "too many"}))


def let_nobody_in(visitor: socket.socket) -> None:
    visitor.sendall(answer(401, {"error": "missing credentials"}))


def be_another(visitor: socket.socket) -> None:
    """A web server that has a page for everything."""
    visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = Peer(request.param)
    patience = 0.3 if request.param in (hang, drip) else 60
    asked = {"hosts": [peer.url], "request_timeout": patience, "max_retries": 0, "retry_on_timeout": False}
    connections.configure(page=asked, default=asked)
    yield peer
    peer.socket.close()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    connections.configure(**getattr(settings, "ELASTICSEARCH_DSL", {}))


@pytest.mark.parametrize("peer", [hang, drip, overload, let_nobody_in, be_another], indirect=True)
def test_a_page_does_not_ask_a_hanging_elasticsearch_again_at_once(peer: Peer):
    engine = ElasticsearchEngine()

    with pytest.raises(SearchUnavailable):
        engine.search(Query(text="kettle"))
    with pytest.raises(SearchUnavailable, match="a moment ago"):
        engine.search(Query(text="kettle"))

    wait_for("the peer to notice", lambda: peer.visits)
    assert peer.visits == 1


@pytest.mark.parametrize("peer", [hang, overload, let_nobody_in], indirect=True)
def test_an_indexing_worker_does_not_ask_a_hanging_elasticsearch_again_at_once(peer: Peer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(elasticsearch_engine, "PROBE_SECONDS", 0.2)
    engine = ElasticsearchEngine()

    for _ in range(5):
        with pytest.raises(SearchUnavailable):
            engine.write([], gone=[new_id()])

    wait_for("the peer to notice", lambda: peer.visits)
    assert peer.visits == 1


@pytest.mark.parametrize("peer", [overload], indirect=True)
def test_elasticsearch_is_asked_again_after_a_while(peer: Peer, monkeypatch: pytest.MonkeyPatch):
    engine = ElasticsearchEngine()
    monkeypatch.setattr(engine, "_page_circuit", CircuitBreaker(rest_seconds=0))
    monkeypatch.setattr(elasticsearch_engine, "PAGE_SECONDS", 60)

    for _ in range(2):
        with pytest.raises(SearchUnavailable, match="429"):
            engine.search(Query(text="kettle"))

    assert peer.visits == 2
