from typing import Any

from django.core.management.base import BaseCommand

from cryptons.serving import preparation


class Command(BaseCommand):
    help = "Do what `serve` does before it starts web and worker: check, migrate, make groups, collect static files, create a first login."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        preparation.check_staff_settings()
        preparation.check_system()
        preparation.migrate()
        preparation.keep_currency()
        preparation.note_settings()
        preparation.make_groups()
        preparation.collect_static()
        preparation.create_staff()
