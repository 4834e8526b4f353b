"""For somebody who lost both the telephone and the recovery codes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.second_factor import remove


class Command(BaseCommand):
    help = "Remove a user's second factor and end all their sessions and tokens. Make sure first that it is they who ask."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="Username or email address")

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        try:
            found = User.objects.get_by_natural_key(user)
        except User.DoesNotExist:
            raise CommandError(f"There is no user {user!r}.") from None
        if not found.has_second_factor:
            raise CommandError(f"{found.username} has no second factor.")
        remove(found)
        self.stdout.write(f"{found.username} logs in with the password alone until a new second factor is set up.")
