"""Product pictures: which uploads are accepted, and what is stored of them."""

import io
import warnings
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.files.base import ContentFile
from django.db.models import Max
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from cryptons.atomic_file import flush_to_disk
from cryptons.db import new_id
from shop.models import Product, ProductImage

register_heif_opener(thumbnails=False)

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
MOST_BYTES = 8_000_000
MOST_PIXELS = 40_000_000
MOST_POSITION = 32_767
"""The highest that every database stores; of images with the same one, the older is the first."""
FULL = 1600
THUMBNAIL = 480
"""Longest side in pixels."""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class UnusableImage(ValueError):
    """The uploaded file cannot be used as a picture. The text is a sentence for the person who sent it."""


def read_upload(file: IO[bytes]) -> Image.Image:
    """Read the picture by its content, not its name or type: upright, in sRGB, without any metadata. Raises UnusableImage."""
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UnusableImage(_("The picture is larger than %(size)s MB.") % {"size": MOST_BYTES // 1_000_000})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:
                raise _too_many_pixels()
            image.load()
            image = ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, UnusableImage):
            raise
        raise UnusableImage(_("This is not a complete JPEG, PNG, WebP or HEIC picture.")) from error
    return _in_srgb(image)


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the picture as every screen shows it: 8 bits a channel, and the colours of its profile (phones have Display P3) in sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            image = ImageCms.profileToProfile(image, source, SRGB, outputMode=mode) or image
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile, or one for other channels: the numbers are shown as they are
    return image.convert(mode)


def _too_many_pixels() -> UnusableImage:
    return UnusableImage(_("The picture has more than %(count)s million pixels.") % {"count": MOST_PIXELS // 1_000_000})


def _shrunk(image: Image.Image, longest: int) -> Image.Image:
    smaller = image.copy()
    smaller.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return smaller


def _webp(image: Image.Image) -> ContentFile[bytes]:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=82, method=4)
    return ContentFile(out.getvalue())


def make_thumbnail(image: Image.Image) -> ContentFile[bytes]:
    return _webp(_shrunk(image, THUMBNAIL))


def store_picture(product: Product, image: Image.Image, alt: str) -> ProductImage:
    """Write the picture, the product's last one, and its thumbnail under new names, and when they are on the disk, the row for them."""
    name = new_id().hex
    full = _shrunk(image, FULL)
    last = ProductImage.objects.filter(product=product).aggregate(last=Max("position"))["last"]
    position = 0 if last is None else min(last + 1, MOST_POSITION)
    row = ProductImage(product=product, alt=alt, position=position, width=full.width, height=full.height)
    row.thumbnail.save(f"{name}-small.webp", make_thumbnail(full), save=False)
    row.file.save(f"{name}.webp", _webp(full), save=False)
    flush_to_disk(Path(row.thumbnail.path), Path(row.file.path), up_to=Path(settings.MEDIA_ROOT).parent)
    row.save()
    return row
