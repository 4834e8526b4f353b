from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cryptons.db import atomic
from shop.catalogue.changes import product_changed, sweep_search
from shop.catalogue.version import catalogue_version
from shop.models import Product
from shop.search import Query, engine, search
from shop.search.base import IndexBusy, SearchUnavailable, read_entries
from shop.search.indexing import index_products
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db


def found(text="") -> set[str]:
    result = search(Query(text=text, limit=100))
    assert result.engine == engine.name
    return set(Product.objects.filter(pk__in=result.ids).values_list("name", flat=True)) if result.ids else set()


def test_the_first_sweep_builds_the_index():
    ProductFactory()
    ProductFactory(name="Hidden", is_listed=False)

    assert sweep_search() == 1

    assert found() == {"Copper Kettle"}


def test_a_sweep_indexes_added_changed_unlisted_and_deleted_products(build_index):
    kept, changed, hidden, gone = (ProductFactory(name=name) for name in ("Kept", "Changed", "Hidden", "Gone"))
    build_index()
    ProductFactory(name="Added")
    changed.name = "Teapot"
    changed.save()
    hidden.is_listed = False
    hidden.save()
    gone.delete()

    assert sweep_search() == 4

    assert found() == {"Kept", "Teapot", "Added"}
    assert found("teapot") == {"Teapot"}
    assert kept.name in found()


def test_a_second_sweep_has_nothing_to_do(build_index):
    ProductFactory.create_batch(3)
    build_index()

    version = catalogue_version()
    assert sweep_search() == 0
    assert catalogue_version() == version


def test_a_sweep_reads_only_products_newer_than_the_last_sweep(build_index, django_assert_num_queries):
    ProductFactory.create_batch(20)
    Product.objects.update(updated_at=timezone.now() - timedelta(days=1))
    build_index()

    with django_assert_num_queries(2):
        assert sweep_search() == 0


def test_a_sweep_finds_a_change_that_was_committed_late_with_an_earlier_time(build_index):
    late, newest = ProductFactory(name="Early"), ProductFactory()
    now = timezone.now()
    Product.objects.filter(pk=newest.pk).update(updated_at=now)
    Product.objects.filter(pk=late.pk).update(updated_at=now - timedelta(hours=1))
    build_index()
    Product.objects.filter(pk=late.pk).update(name="Late", updated_at=now - timedelta(seconds=60))

    sweep_search()

    assert found("late") == {"Late"}


def test_the_index_is_empty_when_all_products_are_deleted(build_index):
    ProductFactory()
    build_index()
    Product.objects.all().delete()

    sweep_search()

    assert found() == set()


def test_indexing_products_adds_listed_ones_and_removes_deleted_ones(build_index):
    build_index()
    product, hidden = ProductFactory(), ProductFactory(is_listed=False)

    index_products([product.pk, hidden.pk])
    index_products([product.pk])
    assert search(Query()).ids == [product.pk]

    product_id = product.pk
    product.delete()
    index_products([product_id])
    assert search(Query()).total == 0


def test_a_failed_rebuild_keeps_the_old_index(build_index):
    ProductFactory()
    build_index()

    def broken():
        raise RuntimeError
        yield

    with pytest.raises(RuntimeError):
        engine.rebuild(broken())

    assert found() == {"Copper Kettle"}


def test_one_of_two_simultaneous_rebuilds_succeeds_with_a_complete_index(build_index):
    product = ProductFactory()
    build_index()

    def entries_while_another_rebuilds():
        yield from read_entries(Product.objects.all())
        with suppress(IndexBusy):
            engine.rebuild(read_entries(Product.objects.all()))

    with suppress(IndexBusy):
        engine.rebuild(entries_while_another_rebuilds())

    assert found("kettel") == {"Copper Kettle"}
    assert search(Query()).facets.categories == {product.category_id: 1}


def test_rebuild_search_indexes_all_products_and_prints_their_number(capsys):
    ProductFactory.create_batch(3)

    call_command("rebuild_search")

    assert "3 products can be found." in capsys.readouterr().out
    assert search(Query()).total == 3


def test_rebuild_search_says_what_to_do_when_the_search_engine_is_down(monkeypatch):
    def away(*args):
        raise SearchUnavailable("Elasticsearch does not answer: ConnectionError")

    monkeypatch.setattr(engine, "rebuild", away)

    with pytest.raises(CommandError, match=r"ConnectionError.* correct ELASTICSEARCH_URL"):
        call_command("rebuild_search")


@pytest.mark.django_db(transaction=True)
def test_a_changed_product_is_queued_for_indexing_after_the_commit(build_index, monkeypatch):
    build_index()
    queued = []
    monkeypatch.setattr("shop.catalogue.changes.enqueue", lambda task, ids: queued.append(ids))
    version = catalogue_version()
    product = ProductFactory()

    with atomic():
        product_changed([product.pk])
        assert queued == []

    assert queued == [[str(product.pk)]]
    assert catalogue_version() != version


def test_a_product_is_indexed_with_the_names_of_all_parent_categories(build_index):
    above = CategoryFactory(name="Kitchen")
    ProductFactory(category=CategoryFactory(name="Kettles", parent=above))
    build_index()

    assert found("kitchen") == {"Copper Kettle"}
