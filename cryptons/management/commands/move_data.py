import os
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cryptons.data_transfer import count_rows, read_lines
from cryptons.databases import read_database


class Command(BaseCommand):
    help = "Copy the whole shop into another, empty database, and compare counts and sums. Stop the shop first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, metavar="URL", help="the other database, as DATABASE_URL would name it")

    def handle(self, *args: Any, to: str, **options: Any) -> None:
        try:
            read_database("--to", to)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        if to == settings.DATABASE_URL:
            raise CommandError("--to is the database that the shop uses already.")
        receiver = subprocess.Popen(  # noqa: S603
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "receive_data"],
            env={**os.environ, "DATABASE_URL": to, "DATABASE_REPLICA_URL": "", "DATABASE_READ_PREFERENCE": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            rows = self.send(receiver)
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Nothing was changed here, and the other database is left empty.") from None
        finally:
            assert receiver.stdin is not None
            with suppress(BrokenPipeError):  # it ended before it read everything
                receiver.stdin.close()
            receiver.wait()
        if receiver.returncode:
            raise CommandError("The other database did not accept the data. The error is printed above; nothing was changed here.")
        self.stdout.write(f"{rows} rows were copied, counts and sums agree. Now set DATABASE_URL to the new address, start the shop,")
        self.stdout.write("and run `manage.py rebuild_search`. This database was not changed: keep it until everything works.")

    def send(self, receiver: "subprocess.Popen[bytes]") -> int:
        self.ask(receiver, None)
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as progress:
            total = count_rows()
            bar = progress.add_task("Rows", total=total)
            for line in read_lines(lambda count: progress.advance(bar, count)):
                answer = self.ask(receiver, line)
        if answer["differences"]:
            raise CommandError("Some data did not arrive as it was sent: " + " ".join(answer["differences"]))
        return total

    def ask(self, receiver: "subprocess.Popen[bytes]", line: bytes | None) -> dict[str, Any]:
        assert receiver.stdin is not None
        assert receiver.stdout is not None
        try:
            if line is not None:
                receiver.stdin.write(line)
                receiver.stdin.flush()
        except BrokenPipeError as error:
            raise CommandError("The other database stopped receiving. The error is printed above; nothing was changed here.") from error
        reply = receiver.stdout.readline()
        if not reply:
            raise CommandError("The other database could not be used. The error is printed above; nothing was changed here.")
        answer: dict[str, Any] = orjson.loads(reply)
        if "error" in answer:
            raise CommandError(answer["error"])
        return answer
