"""Reading all products over the API: page after page, what changed since, and what is not listed."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import ApiClient, UserFactory
from shop.catalogue.changes import rebuild_search
from shop.models import Product
from shop.tests.factories import NOW, CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anybody():
    return ApiClient()


@pytest.fixture
def packer():
    """May look at products, and not change them."""
    person = UserFactory(is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_product"))
    return ApiClient(person)


def walk(client, path):
    """Return the names on each page, going on by `next`."""
    pages, after = [], ""
    while after is not None:
        body = client.get(path + (f"&after={after}" if after else "")).json()
        pages.append([row["name"] for row in body["data"]])
        after = body["meta"]["next"]
    return pages


def set_updated(product, at):
    Product.objects.filter(pk=product.pk).update(updated_at=at)


def test_all_products_are_read_page_by_page_the_newest_first(anybody):
    for number in range(7):
        ProductFactory(name=str(number), created_at=NOW + timedelta(days=number))
    rebuild_search()
    assert walk(anybody, "/api/products?limit=3") == [["6", "5", "4"], ["3", "2", "1"], ["0"]]


def test_products_of_the_same_moment_are_each_read_once(anybody):
    """The search engine puts them in another order than the database."""
    for number in range(9):
        ProductFactory(name=str(number), created_at=NOW)
    rebuild_search()
    pages = walk(anybody, "/api/products?limit=2")
    assert [len(page) for page in pages] == [2, 2, 2, 2, 1]
    assert sorted(name for page in pages for name in page) == list("012345678")


def test_filters_hold_on_every_page(anybody):
    kitchen = CategoryFactory(slug="kitchen")
    for number in range(5):
        ProductFactory(name=str(number), created_at=NOW + timedelta(days=number), category=kitchen, stock=number)
        ProductFactory(name="other")
    rebuild_search()
    assert walk(anybody, "/api/products?limit=2&category=kitchen&inStock=true") == [["4", "3"], ["2", "1"]]


def test_a_page_by_after_needs_neither_count_nor_search(anybody, monkeypatch):
    ProductFactory.create_batch(3)
    rebuild_search()
    after = anybody.get("/api/products?limit=1").json()["meta"]["next"]
    monkeypatch.setattr("shop.api.products.find_products", None)
    meta = anybody.get(f"/api/products?limit=1&after={after}").json()["meta"]
    assert (meta["page"], meta["total"], meta["facets"], meta["searchEngine"]) == (None, None, None, "database")


@pytest.mark.parametrize("query", ["search=kettle", "sort=price", "page=2"])
def test_a_list_that_cannot_be_gone_on_from_has_no_next(anybody, query):
    ProductFactory.create_batch(5)
    rebuild_search()
    assert anybody.get(f"/api/products?limit=1&{query}").json()["meta"]["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=x", "after"),
        ("after=WzFd", "after"),
        ("after=x&search=kettle", "search"),
        ("updatedSince=2026-11-01&search=kettle", "search"),
        ("updatedSince=2026-11-01&sort=newest", "sort"),
        ("updatedSince=yesterday", "updatedSince"),
        ("unlisted=perhaps", "unlisted"),
        ("changedSince=2026-11-01", "changedSince"),
    ],
)
def test_the_error_names_a_filter_that_cannot_be_used(anybody, query, field):
    answer = anybody.get(f"/api/products?{query}")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, field)


def test_one_product_takes_only_true_or_false_for_unlisted(anybody):
    path = f"/api/products/{ProductFactory().pk}"
    answer = anybody.get(f"{path}?unlisted=perhaps")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "unlisted")
    assert anybody.get(f"{path}?unlisted=false").status_code == 200


def test_what_changed_since_comes_in_the_order_of_its_change(anybody):
    old, second, first = (ProductFactory(name=name) for name in ("old", "second", "first"))
    for product, days in ((old, 0), (first, 1), (second, 2)):
        set_updated(product, NOW + timedelta(days=days))
    assert walk(anybody, "/api/products?limit=1&updatedSince=2026-11-02") == [["first"], ["second"]]
    body = anybody.get("/api/products?updatedSince=2026-11-02").json()
    assert (body["meta"]["total"], body["data"][0]["updatedAt"][:19]) == (2, "2026-11-02T12:00:00")


def test_who_may_read_products_reads_unlisted_ones(packer, anybody):
    hidden = ProductFactory(name="hidden", is_listed=False, created_at=NOW)
    shown = ProductFactory(name="shown", created_at=NOW - timedelta(days=1))
    rebuild_search()
    rows = packer.get("/api/products?unlisted=true").json()["data"]
    assert [(row["name"], row["isListed"]) for row in rows] == [("hidden", False), ("shown", True)]
    assert packer.get(f"/api/products/{hidden.pk}?unlisted=true").json()["data"]["isListed"] is False
    assert packer.get(f"/api/products/{hidden.pk}").status_code == 404
    assert [row["name"] for row in anybody.get("/api/products").json()["data"]] == [shown.name]


@pytest.mark.parametrize("path", ["/api/products", "/api/products/{pk}"])
def test_unlisted_products_are_for_those_who_may_read_products(anybody, path):
    path = path.format(pk=ProductFactory(is_listed=False).pk) + "?unlisted=true"
    assert anybody.get(path).status_code == 401
    assert ApiClient(UserFactory()).get(path).status_code == 403
    assert ApiClient(UserFactory(is_staff=True)).get(path).status_code == 403


@pytest.mark.parametrize("path", ["/api/products", "/api/products/{pk}"])
def test_no_cache_keeps_unlisted_products(packer, path):
    path = path.format(pk=ProductFactory(is_listed=False).pk)
    assert "no-store" in packer.get(f"{path}?unlisted=true")["Cache-Control"]
