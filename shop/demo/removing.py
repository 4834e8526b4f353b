"""Take the demo catalogue away again. What staff changed, and what was ordered or rated, stays."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import ManyToOneRel, Q
from django.utils.text import slugify

from cryptons.chunks import chunks
from cryptons.db import in_transaction
from cryptons.money import limit_to_minor
from shop.catalogue.changes import product_changed
from shop.catalogue.version import catalogue_changed
from shop.demo.goods import DEPARTMENTS
from shop.demo.loading import GOODS, variant_of
from shop.models import Category, Product, ProductImage

BY_SKU = {goods.sku: (goods, shelf) for shelves in DEPARTMENTS.values() for shelf, all_goods in shelves.items() for goods in all_goods}
"""Each with the shelf on which it lies."""
LOADED_WITHIN = timedelta(minutes=10)
"""A product that was written later than this after its creation was changed by somebody."""
KEPT_APART = ("productimage", "cartitem")
"""Rows that go with a product."""


@dataclass
class DemoCatalogue:
    """What of the demo is in the shop."""

    untouched: list[Product] = field(default_factory=list)
    changed: list[Product] = field(default_factory=list)
    """Changed by staff."""
    used: list[Product] = field(default_factory=list)
    """Ordered or rated."""


def find_demo() -> DemoCatalogue:
    """Find the demo products that are in the shop. Writes nothing."""
    found = DemoCatalogue()
    of_demo = Q(sku__in=[goods.sku for goods in GOODS]) | Q(sku__contains="-V")
    for product in Product.objects.filter(of_demo).order_by("sku").prefetch_related("images", "category"):
        loaded = _as_loaded(product.sku)
        if loaded is None:
            continue
        if _is_used(product):
            found.used.append(product)
        elif _as_stored(product) == loaded and product.updated_at - product.created_at < LOADED_WITHIN:
            found.untouched.append(product)
        else:
            found.changed.append(product)
    return found


def _as_loaded(sku: str) -> tuple[Any, ...] | None:
    """Return what the demo stores for the product or variant with this SKU; None if it has none."""
    original, mark, number = sku.partition("-V")
    goods, shelf = BY_SKU.get(original, (None, ""))
    if goods is None or (mark and not number.isdigit()):
        return None
    price = limit_to_minor(Decimal(goods.price), settings.CURRENCY)
    name, minor, stock = variant_of(goods.name, price, int(number)) if number else (goods.name, price, goods.stock)
    return name, slugify(name), goods.description, minor, stock, True, slugify(shelf), (goods.alt,)


def _as_stored(product: Product) -> tuple[Any, ...]:
    pictures = tuple(image.alt for image in product.images.all())
    text = product.name, product.slug, product.description
    return *text, product.price_minor, product.stock, product.is_listed, product.category.slug, pictures


def _is_used(product: Product) -> bool:
    """Tell whether an order, a review or any other row but its pictures and the lines of carts names the product."""
    fields = Product._meta.get_fields(include_hidden=True)
    relations = [field for field in fields if isinstance(field, ManyToOneRel) and field.related_model._meta.model_name not in KEPT_APART]
    return any(relation.related_model._default_manager.filter(**{relation.field.name: product.pk}).exists() for relation in relations)


def remove_demo() -> DemoCatalogue:
    """Delete the untouched demo products with their pictures, and the demo's categories that are empty then. Returns what there was."""
    found = find_demo()
    for products in chunks(found.untouched, 200):
        in_transaction(partial(_delete, products))
    in_transaction(_delete_empty_categories)
    catalogue_changed()
    return found


def _delete(products: list[Product]) -> None:
    ids = [product.pk for product in products]
    ProductImage.objects.filter(product__in=ids).delete()
    Product.objects.filter(pk__in=ids).delete()
    product_changed(ids)


def _delete_empty_categories() -> None:
    for name in _categories_from_below():
        for category in Category.objects.filter(slug=slugify(name), name=name):
            if not category.products.exists() and not category.children.exists():
                category.delete()


def _categories_from_below() -> Iterator[str]:
    for department, shelves in DEPARTMENTS.items():
        yield from shelves
        yield department
