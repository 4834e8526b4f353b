"""Load the demo products. A product whose SKU exists already is left unchanged."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from django.conf import settings
from django.utils.text import slugify

from cryptons.chunks import chunks
from cryptons.db import atomic
from cryptons.money import limit_to_minor
from shop.catalogue.images import read_upload, store_picture
from shop.demo.goods import DEPARTMENTS, Goods
from shop.models import Category, Product, ProductImage

GOODS = [goods for shelves in DEPARTMENTS.values() for shelf in shelves.values() for goods in shelf]
FINISHES = ("Plain", "Dark", "Light", "Small", "Large", "Fine", "Old-Style", "Travel", "Classic", "Everyday")


def load(progress: Callable[[int], None]) -> int:
    """Load categories, products and their pictures. `progress(1)` is called after each product. Returns how many are new."""
    new = 0
    for position, (department, shelves) in enumerate(DEPARTMENTS.items()):
        above = _category(department, None, position)
        for place, (shelf, all_goods) in enumerate(shelves.items()):
            category = _category(shelf, above, place)
            for goods in all_goods:
                new += _product(goods, category)
                progress(1)
    return new


def load_more(count: int, progress: Callable[[int], None]) -> int:
    """Load variants of the demo products, for a shop of any size: they share the pictures. Returns how many are new."""
    originals = {
        product.sku: product for product in Product.objects.filter(sku__in=[goods.sku for goods in GOODS]).prefetch_related("images")
    }
    known = set(Product.objects.filter(sku__contains="-V").values_list("sku", flat=True))
    new = 0
    for numbers in chunks(range(count)):
        products = [product for product in _variants(numbers, originals) if product.sku not in known]
        pictures = [_same_picture(product, originals[product.sku.rpartition("-V")[0]]) for product in products]
        with atomic():
            Product.objects.bulk_create(products)
            ProductImage.objects.bulk_create([picture for picture in pictures if picture])
        new += len(products)
        progress(len(numbers))
    return new


def _category(name: str, parent: Category | None, position: int) -> Category:
    defaults = {"name": name, "parent": parent, "position": position}
    return Category.objects.get_or_create(slug=slugify(name), defaults=defaults)[0]


def _product(goods: Goods, category: Category) -> bool:
    """Create the product, then its picture, so that the next run completes one that was interrupted. Returns whether it is new."""
    product, is_new = Product.objects.get_or_create(
        sku=goods.sku,
        defaults={
            "name": goods.name,
            "slug": slugify(goods.name),
            "description": goods.description,
            "price_minor": limit_to_minor(Decimal(goods.price), settings.CURRENCY),
            "category": category,
            "stock": goods.stock,
        },
    )
    if not product.images.exists():
        with goods.picture.open("rb") as file:
            store_picture(product, read_upload(file), goods.alt)
    return is_new


def _variants(numbers: list[int], originals: dict[str, Product]) -> Iterator[Product]:
    for number in numbers:
        model = originals[GOODS[number % len(GOODS)].sku]
        name, price_minor, stock = variant_of(model.name, model.price_minor, number)
        yield Product(
            sku=f"{model.sku}-V{number}",
            name=name,
            slug=slugify(name),
            description=model.description,
            price_minor=price_minor,
            category_id=model.category_id,
            stock=stock,
        )


def variant_of(name: str, price_minor: int, number: int) -> tuple[str, int, int]:
    """Return name, price and stock of a variant of the product with this name and price."""
    return f"{FINISHES[number // len(GOODS) % len(FINISHES)]} {name} {number + 1}", price_minor + number * 37 % 5000, number * 7 % 60


def _same_picture(product: Product, original: Product) -> ProductImage | None:
    picture = original.picture
    if picture is None:
        return None
    return ProductImage(
        product=product,
        file=picture.file.name,
        thumbnail=picture.thumbnail.name,
        alt=picture.alt,
        width=picture.width,
        height=picture.height,
    )
