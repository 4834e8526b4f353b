"""Listens for what may be news, and then wakes the follower before its time: ZMQ of the nodes, and marks that `notify_payment` touches.

A hint is not believed: the follower asks the node. A hint that is lost costs nothing but time: beat's tick finds the same. The listener is
a thread of the process that beat runs in, so that it runs once; whatever happens to it, the worker goes on.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from cryptons.celery import soon
from cryptons.coins import core_coins
from payments.networks.registry import offered_networks
from payments.sync.notify_trigger import mark
from payments.tasks import follow_network

logger = logging.getLogger(__name__)

TOPICS = (b"sequence", b"hashblock", b"hashtx")
"""`sequence` tells of blocks that come and go and of the mempool; the others serve where it is not published."""

DELAY_MS = 100
"""The node tells of a transaction a moment before its wallet knows of it."""
GAP_MS = 1000
"""A network is woken once in so long at most, however many hints come."""
LOOK_MS = 200
RESTART_SECONDS = 10
MOST_AT_ONCE = 1000


class Bell:
    """When to wake whom. What is heard too soon after the last ring is not forgotten: it is rung for at the end of the gap."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._rung: dict[str, int] = {}

    def hear(self, network: str, *, at_ms: int) -> None:
        due = at_ms + DELAY_MS
        if network in self._rung:
            due = max(due, self._rung[network] + GAP_MS)
        self._due.setdefault(network, due)

    def ring(self, *, at_ms: int) -> list[str]:
        """Those whose time has come."""
        due = [network for network, when in self._due.items() if when <= at_ms]
        for network in due:
            del self._due[network]
            self._rung[network] = at_ms
        return due


class Marks:
    """The files that `notify_payment` touches. While they are there it takes its short way."""

    def __init__(self, data_dir: Path, networks: list[str]) -> None:
        self._files = {network: mark(data_dir, network) for network in networks}
        self._seen: dict[str, int] = {}
        for file in self._files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        self.touched()

    def touched(self) -> list[str]:
        """Since the last look."""
        found = []
        for network, file in self._files.items():
            when = file.stat().st_mtime_ns
            if self._seen.get(network) != when:
                found.append(network)
            self._seen[network] = when
        return found


class Ear:
    """The ZMQ of the nodes. It comes back by itself after a node was away, and says nothing meanwhile."""

    def __init__(self, addresses: dict[str, list[str]]) -> None:
        import zmq  # only where it is used: each process loads this module

        self._zmq = zmq
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._networks: dict[Any, str] = {}
        for network, each in addresses.items():
            for address in each:
                self._networks[self._connect(address)] = network

    def _connect(self, address: str) -> Any:
        zmq = self._zmq
        socket = self._context.socket(zmq.SUB)
        socket.linger = 0
        socket.ipv6 = True
        socket.heartbeat_ivl = 30_000  # else a node whose machine is gone is waited for for ever
        socket.heartbeat_timeout = 30_000
        for topic in TOPICS:
            socket.subscribe(topic)
        socket.connect(address)
        self._poller.register(socket, zmq.POLLIN)
        return socket

    def heard(self) -> set[str]:
        """Networks of which a node told something, after LOOK_MS at the latest."""
        if not self._networks:
            time.sleep(LOOK_MS / 1000)
            return set()
        speaking = [socket for socket, _ in self._poller.poll(LOOK_MS)]
        for socket in speaking:
            self._empty(socket)
        return {self._networks[socket] for socket in speaking}

    def _empty(self, socket: Any) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                socket.recv_multipart(self._zmq.NOBLOCK)
            except self._zmq.Again:
                return

    def close(self) -> None:
        self._context.destroy(linger=0)


def addresses() -> dict[str, list[str]]:
    """Of the networks that the shop takes."""
    offered = offered_networks()
    return {coin.code: coin.zmq for coin in core_coins() if coin.code in offered}


def listen() -> None:
    """Until something breaks. Begins with a look at each network: nobody listened before."""
    networks = [coin.code for coin in core_coins() if coin.code in offered_networks()]
    bell, marks, ear = Bell(), Marks(settings.DATA_DIR, networks), Ear(addresses())
    heard = set(networks)
    try:
        while True:
            now = time.monotonic_ns() // 10**6
            for network in heard:
                bell.hear(network, at_ms=now)
            for network in bell.ring(at_ms=now):
                soon(follow_network, network, expires=60)
            heard = {*ear.heard(), *marks.touched()}
    finally:
        ear.close()


def listen_for_ever() -> None:
    while True:
        try:
            listen()
        except Exception:
            logger.exception("listening for hints broke off")
        time.sleep(RESTART_SECONDS)


def start_listening(**_: Any) -> None:
    """Receives Celery's beat_init."""
    threading.Thread(target=listen_for_ever, name="Hints", daemon=True).start()
