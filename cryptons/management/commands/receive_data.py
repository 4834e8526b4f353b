"""The receiving end of `move_data`, started with the other database's settings. Answers each line with a count or an error."""

import signal
import sys
from contextlib import nullcontext
from typing import Any

import orjson
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, transaction

from cryptons.checks import check_database
from cryptons.data_transfer import differences, is_empty, write_line


class Incomplete(Exception):
    """The sender ended before its last line, or the data differs from the sender's tally."""


class Command(BaseCommand):
    help = "Started by move_data; not for people."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sender, which then ends the lines
        found = check_database()
        for warning in (each for each in found if not each.is_serious()):
            self.stderr.write(str(warning.msg))
        if problems := [each for each in found if each.is_serious()]:
            said = " ".join(str(problem.msg) for problem in problems)
            self.answer({"error": said.replace("DATABASE_URL", "--to").replace("start the shop again", "try again")})
            return
        call_command("migrate", interactive=False, verbosity=0)
        if not is_empty():
            self.answer({"error": "That database already has a shop, or a part of one. Name an empty database."})
            return
        self.answer({"ready": True})
        try:
            self.receive()
        except Incomplete:
            sys.exit(1)

    def receive(self) -> None:
        """Write everything in one transaction. On MongoDB, where it would be too large, a failure empties the database."""
        is_mongo = connection.vendor == "mongodb"
        try:
            with nullcontext() if is_mongo else transaction.atomic():
                for line in sys.stdin.buffer:
                    written = write_line(line)
                    batch = orjson.loads(line)
                    if batch["kind"] == "tally":
                        problems = differences(batch["rows"])
                        self.answer({"differences": problems})
                        if problems:
                            raise Incomplete
                        return
                    self.answer({"written": written})
                raise Incomplete
        except BaseException:  # also when a signal stops it: a part of a shop must not look like a whole one
            if is_mongo:
                call_command("flush", interactive=False, verbosity=0)
            raise

    def answer(self, value: dict[str, Any]) -> None:
        sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
        sys.stdout.buffer.flush()
