"""Processes that race each other on one database of their own."""

import json
import os
import subprocess
import sys
import time

import pytest

from shop.tests.databases import database_of_its_own

PROCESSES = 8


class Buyer:
    def __init__(self, folder, database, *options):
        environment = {**os.environ, "DATA_DIR": str(folder), "DATABASE_URL": database, "CELERY_BROKER_URL": "memory://"}
        command = [sys.executable, "-m", "shop.tests.racing_buyer", *options]
        self.errors = folder / f"errors-{time.time_ns()}"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def answer(self):
        line = self.process.stdout.readline()
        assert line, f"the buyer's process ended with {self.process.wait()}: {self.errors.read_text()[-500:]}"
        return json.loads(line)

    def tell(self, act, **options):
        print(json.dumps([act, options]), file=self.process.stdin, flush=True)

    def ask(self, act, **options):
        self.tell(act, **options)
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def buyers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race")
    with database_of_its_own(folder) as url:
        first = Buyer(folder, url, "migrate")
        assert first.answer() == "ready"
        others = [Buyer(folder, url) for _ in range(PROCESSES - 1)]
        assert [buyer.answer() for buyer in others] == ["ready"] * (PROCESSES - 1)
        yield [first, *others]
        for buyer in (first, *others):
            buyer.close()
