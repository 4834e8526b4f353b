"""The index in a folder: one writer at a time, readers in other processes, a file that breaks."""

import multiprocessing
import subprocess
import sys
import textwrap

import pytest
from django.core.management import CommandError, call_command

from shop import tasks
from shop.search import Query, engine, search
from shop.search.base import IndexBusy
from shop.search.indexing import index_products
from shop.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


def count() -> int:
    return search(Query()).total


def test_the_sweep_indexes_a_product_that_a_second_writer_could_not(build_index):
    build_index()
    product = ProductFactory()
    with engine._only_writer():
        with pytest.raises(IndexBusy):
            index_products([product.pk])
        tasks.index_products([str(product.pk)])
        tasks.sweep_search()
        with pytest.raises(CommandError, match="Another process"):
            call_command("rebuild_search")
    assert count() == 0

    tasks.sweep_search()

    assert count() == 1


def test_a_search_sees_what_another_process_wrote_to_the_index(build_index):
    product = ProductFactory()
    build_index()
    assert count() == 1
    program = f"""
        import django; django.setup()
        from pathlib import Path
        from uuid import UUID
        from shop.search.tantivy_engine import TantivyEngine
        TantivyEngine(Path({str(engine.folder)!r})).write([], gone=[UUID({str(product.pk)!r})])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)

    assert search(Query()).total == 0


def test_a_killed_writer_leaves_no_lock_on_the_index(build_index):
    build_index()
    context = multiprocessing.get_context("fork")
    held = context.Event()

    def hold():
        with engine._only_writer():
            held.set()
            context.Event().wait()

    writer = context.Process(target=hold)
    writer.start()
    assert held.wait(60)
    writer.kill()
    writer.join()

    index_products([ProductFactory().pk])

    assert search(Query()).total == 1


def test_the_database_answers_a_search_when_the_index_is_damaged(build_index):
    ProductFactory()
    build_index()
    for file in engine.folder.glob("v*-*/meta.json"):
        file.write_text("{")
    engine._open = None

    assert search(Query(text="kettle")).engine == "database"
