import io
from pathlib import Path

import pytest
from PIL import Image

from shop.catalogue.images import FULL, UnusableImage, make_thumbnail, read_upload, store_picture
from shop.models import ProductImage
from shop.tests.factories import ProductFactory


def picture(kind="PNG", size=(60, 40), mode="RGB", **options):
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, kind, **options)
    out.seek(0)
    return out


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_supported_image_formats_are_recognised_by_content(kind):
    assert read_upload(picture(kind)).size == (60, 40)


@pytest.mark.parametrize(
    "file", [picture("GIF"), picture("BMP"), io.BytesIO(b"<svg onload=alert(1)>"), io.BytesIO(b""), io.BytesIO(b"\xff\xd8\xff")]
)
def test_a_file_in_another_format_is_refused(file):
    with pytest.raises(UnusableImage):
        read_upload(file)


def test_an_incomplete_picture_is_refused():
    with pytest.raises(UnusableImage):
        read_upload(io.BytesIO(picture("PNG", (500, 500)).getvalue()[:200]))


def test_a_picture_with_too_many_pixels_is_refused():
    with pytest.raises(UnusableImage, match="million pixels"):
        read_upload(picture("PNG", (9000, 9000), mode="1"))


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(UnusableImage, match="MB"):
        read_upload(io.BytesIO(b"\x89PNG" + b"0" * 9_000_000))


def test_a_picture_is_rotated_upright_and_loses_its_location():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N"}
    upright = read_upload(picture("JPEG", exif=exif))
    assert upright.size == (40, 60)
    assert not Image.open(make_thumbnail(upright)).getexif()


def test_a_thumbnail_is_smaller_and_keeps_the_aspect_ratio():
    thumbnail = Image.open(make_thumbnail(read_upload(picture(size=(FULL, FULL // 2)))))
    assert thumbnail.size == (480, 240)


@pytest.mark.django_db
def test_a_picture_is_on_the_disk_before_the_row_that_names_it(settings, monkeypatch):
    flushed, rows = [], []

    def flush(*files, up_to):
        flushed.extend(files)
        rows.append(ProductImage.objects.count())

    monkeypatch.setattr("shop.catalogue.images.flush_to_disk", flush)
    row = store_picture(ProductFactory(), read_upload(picture()), "A red picture")

    assert ({file.name for file in flushed}, rows) == ({Path(row.file.path).name, Path(row.thumbnail.path).name}, [0])
