"""The far end of `move_data`, started by it with the other database's settings: reads lines, answers each with a number or an error."""

import sys
from contextlib import nullcontext
from typing import Any

import orjson
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, transaction

from cryptons.moving import differences, is_empty, write_line


class Command(BaseCommand):
    help = "Started by move_data; not for people."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        if not is_empty():
            self.answer({"error": "There is a shop in that database already. Name one that is empty."})
            return
        self.answer({"ready": True})
        # One transaction holds all of it, except on MongoDB, where it would be too large: there a broken move leaves a database to drop.
        with nullcontext() if connection.vendor == "mongodb" else transaction.atomic():
            for line in sys.stdin.buffer:
                written = write_line(line)
                told = orjson.loads(line)
                if told["kind"] == "tally":
                    found = differences(told["rows"])
                    if found and connection.vendor != "mongodb":
                        transaction.set_rollback(True)
                    self.answer({"differences": found})
                    return
                self.answer({"written": written})
            raise ConnectionAbortedError("The sender ended before its last line.")

    def answer(self, value: dict[str, Any]) -> None:
        sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
        sys.stdout.buffer.flush()
