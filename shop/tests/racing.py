"""Processes that race each other on one database of their own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shop.tests.databases import database_of_its_own
from tests.running import LONGEST

PROCESSES = 8


class Buyer:
    """One process of the race, at the other end of a socket."""

    def __init__(self, end: socket.socket, errors: Path) -> None:
        self.lines = end.makefile("rw", encoding="utf-8")
        self.errors = errors

    def answer(self) -> Any:
        line = self.lines.readline()
        assert line, f"The process of a buyer has ended: {self.errors.read_text()[-500:]}"
        return json.loads(line)

    def tell(self, act: str, **options: Any) -> None:
        print(json.dumps([act, options]), file=self.lines, flush=True)

    def ask(self, act: str, **options: Any) -> Any:
        self.tell(act, **options)
        return self.answer()


@contextmanager
def buyers_on(database: str, folder: Path, program: str = "shop.tests.racing_buyer") -> Iterator[list[Buyer]]:
    """Processes that one process forks after it has imported the shop, which takes each of them longer than a race.

    `program` has what they do.
    """
    pairs = [socket.socketpair() for _ in range(PROCESSES)]
    theirs = [their_end.fileno() for _, their_end in pairs]
    environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": database, "CELERY_BROKER_URL": "memory://"}
    errors = folder / "errors"
    with errors.open("w") as log:
        command = [sys.executable, "-m", program, *map(str, theirs)]
        parent = subprocess.Popen(command, env=environment, stderr=log, pass_fds=theirs)
    for _, their_end in pairs:
        their_end.close()
    buyers = [Buyer(our_end, errors) for our_end, _ in pairs]
    assert [buyer.answer() for buyer in buyers] == ["ready"] * PROCESSES
    yield buyers
    for buyer, (our_end, _) in zip(buyers, pairs, strict=True):
        buyer.lines.close()
        our_end.close()
    parent.wait(timeout=LONGEST)


@pytest.fixture(scope="module")
def buyers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Buyer]]:
    folder = tmp_path_factory.mktemp("race")
    with database_of_its_own(folder) as url, buyers_on(url, folder) as ready:
        yield ready
