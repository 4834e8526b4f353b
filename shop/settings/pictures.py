"""Store logo and icon, as small files without metadata."""

import io
from collections.abc import Collection
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from cryptons.atomic_file import flush_to_disk
from cryptons.db import new_id, on_commit
from shop.settings.models import ONLY, ShopSettings

LOGO = (640, 160)
"""The most pixels: four times of what the header shows, for dense screens."""
ICON = 64


def store_logo(image: Image.Image) -> dict[str, str | int]:
    """Write the file and return the fields that name it."""
    smaller = image.copy()
    smaller.thumbnail(LOGO, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    smaller.save(out, "WEBP", quality=90, method=4)
    return {"logo": _store(out, "webp"), "logo_width": smaller.width, "logo_height": smaller.height}


def store_icon(image: Image.Image) -> dict[str, str | int]:
    """Write the file, a square with the picture in its middle, and return the field that names it."""
    smaller = image.convert("RGBA")
    smaller.thumbnail((ICON, ICON), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (ICON, ICON))
    square.paste(smaller, ((ICON - smaller.width) // 2, (ICON - smaller.height) // 2))
    out = io.BytesIO()
    square.save(out, "PNG", optimize=True)
    return {"favicon": _store(out, "png")}


def _store(content: io.BytesIO, kind: str) -> str:
    name = default_storage.save(f"shop/{new_id().hex}.{kind}", ContentFile(content.getvalue()))
    flush_to_disk(Path(default_storage.path(name)), up_to=Path(settings.MEDIA_ROOT).parent)
    return name


def delete_unused(names: Collection[str]) -> None:
    """Delete the files after the commit, unless the settings still have them."""
    on_commit(partial(_delete, [name for name in names if name]))


def _delete(names: Collection[str]) -> None:
    used = ShopSettings.objects.filter(pk=ONLY).values_list("logo", "favicon").first() or ()
    for name in names:
        if name not in used:
            default_storage.delete(name)
