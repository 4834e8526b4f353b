from typing import Any

from django.core.management.base import BaseCommand

from accounts.groups import make_ready_groups


class Command(BaseCommand):
    help = "Make the groups of staff that are missing. A group that somebody changed, renamed or deleted is left alone."

    def handle(self, *args: Any, **options: Any) -> None:
        make_ready_groups()
