"""Describe a product for search engines, which show its price, availability and rating. Source: https://schema.org/Product."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from cryptons.money import format_fiat
from shop.models import Product, ProductImage

ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}
"""So that no text can end the element that the JSON is in."""


def product_json_ld(product: Product, images: Sequence[ProductImage]) -> SafeString:
    """Return the JSON-LD of a product's page."""
    availability = "InStock" if product.stock > 0 else "OutOfStock"
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "sku": product.sku,
        "description": product.description or product.name,
        "offers": {
            "@type": "Offer",
            "url": urljoin(settings.PUBLIC_URL, product.get_absolute_url()),
            "price": format_fiat(product.price_minor, settings.CURRENCY),
            "priceCurrency": settings.CURRENCY,
            "availability": f"https://schema.org/{availability}",
        },
    }
    if images:
        data["image"] = [urljoin(settings.PUBLIC_URL, image.file.url) for image in images]
    if product.rating_count:
        data["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": str(product.rating_average),
            "reviewCount": product.rating_count,
        }
    text = json.dumps(data, ensure_ascii=False).translate(ESCAPES)
    return mark_safe(text)  # noqa: S308  (all signs that could end the element are escaped)
