"""The part of an address that names a product or a category, in the letters of its name's language."""

from django.utils.text import slugify

from cryptons.db import new_id
from shop.models import Category, Product

ROOM = 20
"""Letters that are left for the ending of a second slug from the same name."""


class AnySlug:
    """A slug in an address: letters and digits of any script, dashes and underscores."""

    regex = r"[-\w]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


def free_slug(model: type[Product] | type[Category], name: str) -> str:
    """Make a slug from the name that nothing else has."""
    longest = model._meta.get_field("slug").max_length or 0
    slug = slugify(name, allow_unicode=True)[: longest - ROOM] or model._meta.model_name or ""
    return slug if not model.objects.filter(slug=slug).exists() else f"{slug}-{new_id().hex[-8:]}"
