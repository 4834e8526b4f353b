import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from accounts.verification import documents
from accounts.verification.documents import read_file, read_upload, write_files
from accounts.verification.errors import UnusableDocument
from accounts.verification.models import Verification
from cryptons.db import new_id
from cryptons.signals import encryption_rotated

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
PNG_WITHOUT_PIXELS = bytes.fromhex("89504e470d0a1a0a0000000d494844520000000a0000000a0802000000025058ea0000000049454e44ae426082")


def test_files_are_known_by_their_content(photo):
    assert read_upload(io.BytesIO(photo)) == (photo, "image/jpeg")
    assert read_upload(io.BytesIO(b"%PDF-1.7 ... %%EOF\n"))[1] == "application/pdf"


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg/>", b"<html>%PDF-1.4 %%EOF", b"%PDF-1.7 cut", b"GIF89a\1\0", b"\xff\xd8\xff\xe0broken", PNG_WITHOUT_PIXELS],
)
def test_other_files_are_refused(content):
    with pytest.raises(UnusableDocument, match="not a complete JPEG, PNG, WebP or PDF file"):
        read_upload(io.BytesIO(content))


def test_a_photo_of_a_phone_that_holds_a_second_picture_is_a_jpeg():
    file = io.BytesIO()
    Image.new("RGB", (60, 60)).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (30, 30))])
    assert read_upload(io.BytesIO(file.getvalue()))[1] == "image/jpeg"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_was_cut_off_is_refused(kind):
    whole = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(whole, kind)
    content = whole.getvalue()
    assert read_upload(io.BytesIO(content))
    with pytest.raises(UnusableDocument, match="not a complete"):
        read_upload(io.BytesIO(content[: len(content) // 2]))


def test_a_file_or_picture_that_is_too_large_is_refused(photo, monkeypatch):
    monkeypatch.setattr(documents, "MOST_PIXELS", 1_000)
    with pytest.raises(UnusableDocument, match="million pixels"):
        read_upload(io.BytesIO(photo))

    monkeypatch.setattr(documents, "MOST_BYTES", 500)
    with pytest.raises(UnusableDocument, match="larger than"):
        read_upload(io.BytesIO(photo))


def test_the_command_that_rotates_the_keys_encrypts_the_files_with_the_new_one(by_hand, settings, photo):
    (row,) = write_files(Verification(pk=new_id()), {"front": (photo, "image/jpeg")}, at=NOW)
    (settings.VERIFICATION_DIR / f"{row.pk}.0123.part").write_text("of a process that died")
    settings.FIELD_ENCRYPTION_KEY = ["n" * 32, *settings.FIELD_ENCRYPTION_KEY]

    encryption_rotated.send(None)

    del settings.FIELD_ENCRYPTION_KEY[1]
    assert read_file(row) == photo


def test_a_stored_document_is_encrypted_and_bound_to_its_row(by_hand, settings, photo):
    first, other = write_files(Verification(pk=new_id()), {"front": (photo, "image/jpeg"), "back": (b"%PDF", "application/pdf")}, at=NOW)
    files = {file.name: file for file in settings.VERIFICATION_DIR.iterdir()}

    assert read_file(first) == photo
    assert photo not in files[str(first.pk)].read_bytes()
    files[str(other.pk)].replace(files[str(first.pk)])
    with pytest.raises(ValueError, match="MAC check failed"):
        read_file(first)
