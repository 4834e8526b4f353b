from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cryptons.audit.chain import Head, kept_head, newest, problems, seal


class Command(BaseCommand):
    help = (
        "Check that no entry of the audit log was changed, removed or inserted, and print its head. Exits with 1 and names the entries if "
        "one was. That the newest entries are gone is found by a head that was kept elsewhere: in DATA_DIR, or given as --head."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", action="append", default=[], help="NUMBER:HASH, as this command printed it earlier; may be repeated")

    def handle(self, *args: Any, head: list[str], **options: Any) -> None:
        try:
            known = [Head.parse(text) for text in head]
        except ValueError:
            raise CommandError("--head must be NUMBER:HASH, as this command prints it.") from None
        seal()
        found = list(problems(kept_head(), *known))
        for problem in found:
            self.stderr.write(problem)
        if found:
            raise CommandError(f"The audit log was tampered with: {len(found)} problems.")
        self.stdout.write(f"The audit log is whole. Its head is {newest()}")
