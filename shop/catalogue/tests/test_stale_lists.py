"""No reader gets an old answer once a change is done, whenever the search index has followed it (D79 in docs/decisions.md)."""

import pytest

from cryptons.db import in_transaction
from shop.catalogue import changes, tasks, version
from shop.catalogue.changes import product_changed, sweep_search
from shop.catalogue.tests.stale_readers import Queue, Reader, queue, save, sell  # noqa: F401 (a fixture)
from shop.catalogue.version import catalogue_version, category_version, product_version
from shop.models import Product
from shop.search import engine
from shop.search.base import SearchUnavailable
from shop.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader(monkeypatch):
    return Reader(monkeypatch)


def test_a_new_product_that_was_listed_too_early_is_listed_when_the_index_has_it(build_index, queue, reader):
    build_index()
    in_transaction(lambda: product_changed([ProductFactory(name="Tin Cup").pk]))
    assert reader.names("/api/products?sort=newest") == []

    queue.run()

    assert reader.names("/api/products?sort=newest") == ["Tin Cup"]


def test_a_price_filter_forgets_the_old_price_when_the_index_has_the_new_one(build_index, queue, reader):
    product = ProductFactory(price_minor=500)
    build_index()
    save(product, price_minor=50_000)
    assert [row["price"] for row in reader.get("/api/products?maxPrice=10").json()["data"]] == ["500.00"]

    queue.run()

    assert reader.names("/api/products?maxPrice=10") == []


def test_a_product_that_is_sold_out_leaves_the_list_of_what_is_in_stock(build_index, queue, reader):
    product = ProductFactory(stock=1)
    build_index()
    sell(product, 1)
    reader.get("/api/products?inStock=true")

    queue.run()

    assert reader.names("/api/products?inStock=true") == []


def test_a_change_whose_task_is_lost_is_listed_after_the_sweep(build_index, reader):
    product = ProductFactory(name="Copper Kettle")
    build_index()
    save(product, name="Steel Teapot")
    assert reader.names("/api/products?search=teapot") == []

    sweep_search()

    assert reader.names("/api/products?search=teapot") == ["Steel Teapot"]


def test_a_change_during_an_outage_of_the_search_is_listed_when_the_search_is_back(build_index, queue, reader, monkeypatch):
    product = ProductFactory(price_minor=500)
    build_index()

    def away(*args, **options):
        raise SearchUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "search", away)
        patch.setattr(engine, "write", away)
        save(product, price_minor=50_000)
        queue.run()
        assert reader.names("/api/products?maxPrice=10") == []
    assert reader.names("/api/products?maxPrice=10&limit=7") == ["Copper Kettle"]  # the index knows the old price

    sweep_search()

    assert reader.names("/api/products?maxPrice=10&limit=7") == []


def test_lists_are_renewed_by_the_sweep_when_a_task_was_killed_after_it_had_indexed(build_index, queue, reader, monkeypatch):
    product = ProductFactory(price_minor=500)
    build_index()
    save(product, price_minor=50_000)
    reader.get("/api/products?maxPrice=10")
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "lists_changed", lambda: None)
        queue.run()
    assert reader.names("/api/products?maxPrice=10") == ["Copper Kettle"]

    assert sweep_search() == 0

    assert reader.names("/api/products?maxPrice=10") == []
    before = catalogue_version()
    sweep_search()
    assert catalogue_version() == before


def test_an_index_that_was_written_but_not_refreshed_is_refreshed_before_lists_are_renewed(build_index, queue, monkeypatch):
    steps = []
    product = ProductFactory()
    build_index()
    save(product, price_minor=50_000)
    queue.run()
    monkeypatch.setattr(engine, "refresh", lambda: steps.append("refresh"))
    monkeypatch.setattr(changes, "lists_changed", lambda: steps.append("lists"))

    sweep_search()

    assert steps == ["refresh", "lists"]


def versions(*products: Product) -> list[str]:
    version._known = None
    return [catalogue_version(), category_version(), *(product_version(name) for it in products for name in (str(it.pk), it.slug))]


def test_a_sale_that_leaves_enough_in_stock_renews_that_product_alone(build_index, queue):
    sold, other = ProductFactory(stock=10), ProductFactory(stock=10)
    build_index()
    before, dated = versions(sold, other), Product.objects.get(pk=sold.pk).updated_at

    sell(sold, 2)

    after = versions(sold, other)
    assert after[:2] == before[:2]
    assert after[2] != before[2]
    assert after[3] != before[3]
    assert after[4:] == before[4:]
    assert queue.waiting == []
    assert Product.objects.get(pk=sold.pk).updated_at == dated
    assert sweep_search() == 0


@pytest.mark.parametrize(
    ("stock", "sold", "renews_lists", "is_indexed"),
    [
        (10, 4, False, False),
        (10, 5, True, False),  # from "In stock" to "Only 5 left"
        (5, 1, True, False),
        (5, 5, True, True),
        (100, 100, True, True),
        (0, -1, True, True),
        (5, -1, True, False),
        (6, -1, False, False),
    ],
)
def test_a_sale_renews_lists_when_their_words_change_and_the_index_when_its_filter_does(
    build_index, queue, stock, sold, renews_lists, is_indexed
):
    product, other = ProductFactory(stock=stock), ProductFactory()
    build_index()
    before = versions(other)

    sell(product, sold)

    after = versions(other)
    assert (after[0] != before[0]) == renews_lists
    assert after[1:] == before[1:]
    assert bool(queue.waiting) == is_indexed


def test_the_page_and_the_answer_of_a_sold_product_show_what_is_left(build_index, reader):
    product = ProductFactory(stock=9, slug="kettle")
    build_index()
    paths = f"/api/products/{product.pk}", f"/api/products/{product.pk.hex.upper()}"
    assert [reader.get(path).json()["data"]["stock"] for path in paths] == [9, 9]
    assert 'max="9"' in reader.get("/p/kettle/").content.decode()

    sell(product, 2)

    assert [reader.get(path).json()["data"]["stock"] for path in paths] == [7, 7]
    assert 'max="7"' in reader.get("/p/kettle/").content.decode()


def test_a_sale_of_one_product_leaves_the_ready_pages_of_others(build_index, reader, django_assert_num_queries):
    sold, other = ProductFactory(), ProductFactory(slug="cup")
    build_index()
    paths = "/", "/search", "/p/cup/", "/api/products", f"/api/products/{other.pk}"
    for path in paths:
        reader.get(path)

    sell(sold, 1)

    with django_assert_num_queries(0):
        for path in paths:
            assert reader.get(path).status_code == 200


@pytest.mark.parametrize(("is_shared_file", "at_once"), [(True, "8"), (False, "9")])
def test_a_product_that_was_sold_is_read_again_by_a_process_that_did_not_sell_it(
    build_index, monkeypatch, settings, is_shared_file, at_once
):
    settings.VERSIONS_FILE = settings.DATA_DIR / "versions" if is_shared_file else None
    product = ProductFactory(stock=9, slug="kettle")
    build_index()
    seller, other = Reader(monkeypatch), Reader(monkeypatch)
    for reader in (seller, other):
        assert 'max="9"' in reader.get("/p/kettle/").content.decode()

    sell(product, 1)

    assert f'max="{at_once}"' in other.get("/p/kettle/", is_later=False).content.decode()
    for reader in (seller, other):
        assert 'max="8"' in reader.get("/p/kettle/").content.decode()


def test_a_sweep_renews_what_the_api_says_of_a_product_that_nothing_told_of(build_index, reader):
    """A process that is killed right after its commit tells nobody."""
    product = ProductFactory(name="Copper Kettle")
    build_index()
    path = f"/api/products/{product.pk}"
    reader.get(path)
    product.name = "Steel Kettle"
    product.save()

    sweep_search()

    assert reader.get(path).json()["data"]["name"] == "Steel Kettle"


@pytest.mark.parametrize("count", [version.MANY, version.MANY + 1])
def test_the_change_of_many_products_at_once_renews_each(count):
    product = ProductFactory()
    before = versions(product)

    version.products_changed([str(product.pk), *(f"product-{n}" for n in range(count - 1))])

    after = versions(product)
    assert (after[1], after[2]) != (before[1], before[2])
    assert (after[1] == before[1]) == (count <= version.MANY)
