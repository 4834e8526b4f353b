"""What a product's page tells search engines."""

import json
import re
from decimal import Decimal

import pytest

from shop.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


def read(client, slug):
    (text,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', client.get(f"/p/{slug}/").text, re.DOTALL)
    return json.loads(text)


def test_a_products_page_tells_price_availability_and_rating(client, settings):
    settings.CURRENCY = "EUR"
    ProductFactory(slug="kettle", name="Kettle", sku="K-1", price_minor=4_999, stock=2, rating_count=3, rating_average=Decimal("4.33"))

    data = read(client, "kettle")

    assert (data["@type"], data["name"], data["sku"]) == ("Product", "Kettle", "K-1")
    assert data["aggregateRating"] == {"@type": "AggregateRating", "ratingValue": "4.33", "reviewCount": 3}
    assert data["offers"] == {
        "@type": "Offer",
        "url": f"{settings.PUBLIC_URL}/p/kettle/",
        "price": "49.99",
        "priceCurrency": "EUR",
        "availability": "https://schema.org/InStock",
    }


def test_a_sold_out_product_without_reviews_says_so_and_no_name_ends_the_element(client):
    ProductFactory(slug="kettle", name="</script><b>&amp;", stock=0)

    data = read(client, "kettle")

    assert data["name"] == "</script><b>&amp;"
    assert data["offers"]["availability"] == "https://schema.org/OutOfStock"
    assert "aggregateRating" not in data
