from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from cryptons.chunks import chunks
from cryptons.encryption import EncryptedField
from cryptons.signals import encryption_rotated


class Command(BaseCommand):
    help = (
        "Encrypt all encrypted fields with the first FIELD_ENCRYPTION_KEY, also what was stored without one. Stop the shop while it runs."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.FIELD_ENCRYPTION_KEY:
            raise CommandError("FIELD_ENCRYPTION_KEY is not set.")
        for model in apps.get_models():
            names = [field.attname for field in model._meta.concrete_fields if isinstance(field, EncryptedField)]
            if not names:
                continue
            rows = model._default_manager.order_by("pk")
            count = 0
            for keys in chunks(rows.values_list("pk", flat=True)):
                for row in rows.filter(pk__in=keys).values("pk", *names):
                    rows.filter(pk=row["pk"]).order_by().update(**{name: row[name] for name in names})
                count += len(keys)
            self.stdout.write(f"{model._meta.label}: {count} rows, {', '.join(names)}.")
        encryption_rotated.send(type(self))
