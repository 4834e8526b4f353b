"""Delete the files of a picture with its row."""

from functools import partial
from typing import Any

from django.core.files.storage import default_storage
from django.db.models import Q
from django.db.models.signals import post_delete
from django.dispatch import receiver

from cryptons.db import on_commit
from shop.models import ProductImage


@receiver(post_delete, sender=ProductImage)
def delete_with_its_row(instance: ProductImage, **_: Any) -> None:
    names = [name for name in (instance.file.name, instance.thumbnail.name) if name]
    on_commit(partial(_delete, names))


def _delete(names: list[str]) -> None:
    """Delete the files that no other picture has."""
    for name in names:
        if not ProductImage.objects.filter(Q(file=name) | Q(thumbnail=name)).exists():
            default_storage.delete(name)
