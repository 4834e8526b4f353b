"""Processes that race each other on one database of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shop.tests.databases import database_of_its_own

PROCESSES = 8


class Buyer:
    def __init__(self, folder: Path, database: str, *options: str) -> None:
        environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": database, "CELERY_BROKER_URL": "memory://"}
        command = [sys.executable, "-m", "shop.tests.racing_buyer", *options]
        self.errors = folder / f"errors-{time.time_ns()}"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the buyer's process ended with {self.process.wait()}: {self.errors.read_text()[-500:]}"
        return json.loads(line)

    def tell(self, act: str, **options: Any) -> None:
        print(json.dumps([act, options]), file=self.process.stdin, flush=True)

    def ask(self, act: str, **options: Any) -> Any:
        self.tell(act, **options)
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def buyers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list["Buyer"]]:
    folder = tmp_path_factory.mktemp("race")
    with database_of_its_own(folder) as url:
        first = Buyer(folder, url, "migrate")
        assert first.answer() == "ready"
        others = [Buyer(folder, url) for _ in range(PROCESSES - 1)]
        assert [buyer.answer() for buyer in others] == ["ready"] * (PROCESSES - 1)
        yield [first, *others]
        for buyer in (first, *others):
            buyer.close()
