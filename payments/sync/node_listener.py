"""Listen for hints that a network has news, and wake its follower early: the nodes' ZMQ, and the files that `notify_payment` touches.

A hint is not believed (D13 in docs/decisions.md): the follower asks the node. A hint that is lost costs only time, because beat's next
tick finds the same. The listener is a thread of the process that runs beat, so that it runs once; the worker goes on if it fails.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from cryptons.coins import core_coins
from payments.jobs import jobs
from payments.networks.registry import offered_networks
from payments.sync.notify_trigger import trigger_file

logger = logging.getLogger(__name__)

TOPICS = (b"sequence", b"hashblock", b"hashtx")
"""`sequence` announces blocks that come and go, and the mempool; the others serve where it is not published."""

DELAY_MS = 100
"""The node announces a transaction a moment before its wallet knows it."""
GAP_MS = 1000
"""A follower is woken once in this time at most, however many hints come."""
LOOK_MS = 200
RESTART_SECONDS = 10
MOST_AT_ONCE = 1000


class Throttle:
    """Decides when to wake the follower of a network: at most once in GAP_MS. A hint during the gap wakes it at the end of the gap."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._woken: dict[str, int] = {}

    def record(self, network: str, *, at_ms: int) -> None:
        due = at_ms + DELAY_MS
        if network in self._woken:
            due = max(due, self._woken[network] + GAP_MS)
        self._due.setdefault(network, due)

    def due(self, *, at_ms: int) -> list[str]:
        """Return the networks whose followers are to be woken now, each once."""
        due = [network for network, when in self._due.items() if when <= at_ms]
        for network in due:
            del self._due[network]
            self._woken[network] = at_ms
        return due


class TriggerFiles:
    """The files that `notify_payment` touches. While they exist the command takes its fast path."""

    def __init__(self, data_dir: Path, networks: list[str]) -> None:
        self._files = {network: trigger_file(data_dir, network) for network in networks}
        self._seen: dict[str, int] = {}
        for file in self._files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        self.touched()

    def touched(self) -> list[str]:
        """Return the networks whose files were touched since the last call."""
        touched = []
        for network, file in self._files.items():
            when = file.stat().st_mtime_ns
            if self._seen.get(network) != when:
                touched.append(network)
            self._seen[network] = when
        return touched


class ZmqListener:
    """A subscription to the ZMQ of the nodes. ZMQ reconnects after a node was away, and is silent until then."""

    def __init__(self, addresses: dict[str, list[str]]) -> None:
        import zmq  # only where it is used: each process loads this module

        self._zmq = zmq
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._networks: dict[Any, str] = {}
        for network, node_addresses in addresses.items():
            for address in node_addresses:
                self._networks[self._connect(address)] = network

    def _connect(self, address: str) -> Any:
        zmq = self._zmq
        socket = self._context.socket(zmq.SUB)
        socket.linger = 0
        socket.ipv6 = True
        socket.heartbeat_ivl = 30_000  # otherwise a connection to a machine that is gone stays open for ever
        socket.heartbeat_timeout = 30_000
        for topic in TOPICS:
            socket.subscribe(topic)
        socket.connect(address)
        self._poller.register(socket, zmq.POLLIN)
        return socket

    def receive(self) -> set[str]:
        """Wait up to LOOK_MS and return the networks whose nodes sent something."""
        if not self._networks:
            time.sleep(LOOK_MS / 1000)
            return set()
        sockets = [socket for socket, _ in self._poller.poll(LOOK_MS)]
        for socket in sockets:
            self._empty(socket)
        return {self._networks[socket] for socket in sockets}

    def _empty(self, socket: Any) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                socket.recv_multipart(self._zmq.NOBLOCK)
            except self._zmq.Again:
                return

    def close(self) -> None:
        self._context.destroy(linger=0)


def addresses() -> dict[str, list[str]]:
    """Return the ZMQ addresses of each network that the shop offers."""
    offered = offered_networks()
    return {coin.code: coin.zmq for coin in core_coins() if coin.code in offered}


def listen() -> None:
    """Wake followers until an error occurs. Each network is woken once at the start, because earlier hints were missed."""
    networks = [coin.code for coin in core_coins() if coin.code in offered_networks()]
    throttle, files, listener = Throttle(), TriggerFiles(settings.DATA_DIR, networks), ZmqListener(addresses())
    hinted = set(networks)
    try:
        while True:
            now = time.monotonic_ns() // 10**6
            for network in hinted:
                throttle.record(network, at_ms=now)
            for network in throttle.due(at_ms=now):
                jobs().follow_network(network)
            hinted = {*listener.receive(), *files.touched()}
    finally:
        listener.close()


def listen_for_ever() -> None:
    while True:
        try:
            listen()
        except Exception:
            logger.exception("listening for hints failed")
        time.sleep(RESTART_SECONDS)


def start_listening(**_: Any) -> None:
    """Receive Celery's beat_init."""
    threading.Thread(target=listen_for_ever, name="Hints", daemon=True).start()
