"""Documents that buyers upload: which files are accepted, and how they are kept.

Each is an encrypted file in DATA_DIR/verification, which no address of the shop leads to. It goes with its row, and so with the account.
"""

import base64
import io
import time
import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.translation import gettext as _
from PIL import Image

from accounts.verification.errors import UnusableDocument
from accounts.verification.models import Document, Verification
from cryptons.atomic_file import atomic_file
from cryptons.db import new_id, on_commit
from cryptons.encryption import seal, unseal
from cryptons.signals import encryption_rotated

MOST_BYTES = 5_000_000
MOST_PIXELS = 60_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
IMAGES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Types by the name of what was read: a JPEG file with several pictures, as the cameras of phones make them, is called MPO."""
PDF = "application/pdf"
ACCEPT = ".jpg,.jpeg,.png,.webp,.pdf"
FORGOTTEN_AFTER = timedelta(hours=1)
"""A file without a row that is older belongs to an upload that failed, or to a process that died."""


def read_upload(file: IO[bytes]) -> tuple[bytes, str]:
    """Return the file and its type, by its content rather than its name. Raises UnusableDocument."""
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UnusableDocument(_("The file is larger than %(size)s MB.") % {"size": MOST_BYTES // 1_000_000})
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-2048:]:
        return content, PDF
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:
                raise UnusableDocument(_("The picture has more than %(count)s million pixels.") % {"count": MOST_PIXELS // 1_000_000})
            image.verify()
            Image.open(io.BytesIO(content), formats=FORMATS).load()  # verify() reads no pixels of JPEG and WebP
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, OSError, SyntaxError, ValueError, IndexError) as error:
        raise UnusableDocument(_("This is not a complete JPEG, PNG, WebP or PDF file.")) from error
    return content, IMAGES[str(image.format)]


def write_files(verification: Verification, uploads: Mapping[str, tuple[bytes, str]], *, at: datetime) -> list[Document]:
    """Write the encrypted file of each upload, by its kind. Returns the rows, not stored yet."""
    settings.VERIFICATION_DIR.mkdir(mode=0o700, exist_ok=True)
    rows = []
    for kind, (content, content_type) in uploads.items():
        row = Document(pk=new_id(), verification=verification, kind=kind, content_type=content_type, size=len(content), added_at=at)
        with atomic_file(_path(row), is_durable=True) as part:
            part.write_text(seal(base64.b64encode(content).decode(), _bound_to(row.pk)), encoding="ascii")
        rows.append(row)
    return rows


def read_file(document: Document) -> bytes:
    """Decrypt the document. Raises OSError if its file is missing, ValueError if it was changed, ImproperlyConfigured without its key."""
    return base64.b64decode(unseal(_path(document).read_text(encoding="ascii"), _bound_to(document.pk)))


@receiver(post_delete, sender=Document)
def _erase_file(instance: Document, **_: Any) -> None:
    path = _path(instance)  # after the commit the row has no key any more
    on_commit(lambda: path.unlink(missing_ok=True))


@receiver(encryption_rotated)
def _encrypt_again(**_: Any) -> None:
    """Encrypt all files with the first FIELD_ENCRYPTION_KEY, but no part of one that a process left which died while it wrote."""
    for file in settings.VERIFICATION_DIR.glob("*-*"):
        if file.suffix == ".part":
            continue
        plain = unseal(file.read_text(encoding="ascii"), _bound_to(file.name))
        with atomic_file(file, is_durable=True) as part:
            part.write_text(seal(plain, _bound_to(file.name)), encoding="ascii")


def erase_forgotten_files() -> None:
    """Delete the files that no row knows."""
    if not settings.VERIFICATION_DIR.is_dir():
        return
    before = time.time() - FORGOTTEN_AFTER.total_seconds()
    old = {file.name: file for file in settings.VERIFICATION_DIR.iterdir() if file.stat().st_mtime < before}
    known = {str(pk) for pk in Document.objects.values_list("pk", flat=True)}
    for name, file in old.items():
        if name not in known:
            file.unlink(missing_ok=True)


def _path(document: Document) -> Path:
    folder: Path = settings.VERIFICATION_DIR
    return folder / str(document.pk)


def _bound_to(key: object) -> str:
    """Return what the file of a document is encrypted for, so that it cannot be put in the place of another."""
    return f"verification.document.{key}"
