import io
import struct
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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_each_supported_image_format_is_recognised_by_content(kind):
    assert read_upload(picture(kind)).size == (60, 40)


@pytest.mark.parametrize(
    "file", [picture("GIF"), picture("BMP"), io.BytesIO(b"<svg onload=alert(1)>"), io.BytesIO(b""), io.BytesIO(b"\xff\xd8\xff")]
)
def test_a_file_in_another_format_is_refused(file):
    with pytest.raises(UnusableImage):
        read_upload(file)


def saved(image: Image.Image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    out.seek(0)
    return out


def test_grey_of_16_bits_keeps_its_shades():
    shades = Image.new("I;16", (256, 1))
    for level in range(256):
        shades.putpixel((level, 0), level * 257)

    read = read_upload(saved(shades))

    assert [read.getpixel((level, 0)) for level in range(256)] == [(level, level, level) for level in range(256)]


def display_p3() -> bytes:
    """A profile of ICC version 2 with the primaries of Display P3 (SMPTE EG 432-1, adapted to D50) and a gamma of 2.2."""

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    tags = {
        b"rXYZ": xyz(0.515102, 0.241182, -0.001050),
        b"gXYZ": xyz(0.291965, 0.692236, 0.041882),
        b"bXYZ": xyz(0.157153, 0.066582, 0.784378),
        b"wtpt": xyz(0.964203, 1.0, 0.824905),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 3) + b"P3\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0\0\0\0",
    }  # fmt: skip
    table, body, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += padded
    size = struct.pack(">I", offset + len(body))
    head = size + bytes(4) + bytes([2, 0x10, 0, 0]) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + xyz(0.964203, 1.0, 0.824905)[8:]
    return head + bytes(128 - len(head)) + table + body


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_colours_of_a_phone_are_shown_as_the_phone_shows_them(kind):
    red = Image.new("RGB", (32, 32), (234, 51, 35))

    read = read_upload(saved(red, kind, icc_profile=display_p3(), quality=100)).getpixel((16, 16))

    assert isinstance(read, tuple)
    assert read[0] >= 250
    assert max(read[1:]) <= 20


def test_a_picture_with_a_broken_profile_is_taken_as_it_is():
    red = Image.new("RGB", (4, 4), (234, 51, 35))
    assert read_upload(saved(red, icc_profile=b"no profile")).getpixel((0, 0)) == (234, 51, 35)


@pytest.mark.parametrize(("mode", "colour", "transparent"), [("RGB", (255, 0, 0), (255, 0, 0)), ("L", 255, 255), ("P", 0, 0)])
def test_a_colour_that_is_marked_as_transparent_is(mode, colour, transparent):
    read = read_upload(saved(Image.new(mode, (4, 4), colour), transparency=transparent))
    assert (read.mode, read.getpixel((0, 0))[3]) == ("RGBA", 0)


def test_colours_for_print_become_colours_for_screens():
    assert read_upload(saved(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG")).mode == "RGB"


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


@pytest.mark.django_db
def test_a_new_picture_is_the_last_one_after_others_were_deleted():
    product = ProductFactory()
    rows = [store_picture(product, read_upload(picture(size=(8, 6))), "") for _ in range(3)]
    ProductImage.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).delete()

    new = store_picture(product, read_upload(picture(size=(8, 6))), "")

    assert [image.pk for image in product.images.all()] == [rows[2].pk, new.pk]
    assert new.position == 3
