import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
from django.core.cache import caches

from cryptons.db import atomic
from cryptons.version_file import VersionFile
from shop.catalogue import version as module
from shop.catalogue.version import catalogue_changed, catalogue_version

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _forgotten():
    module._known = None
    yield
    module._known = None


@pytest.fixture
def tokens(settings):
    """As with Redis: the versions are tokens in the cache that several machines share."""
    settings.VERSIONS_FILE = None


@pytest.fixture(params=["file", "tokens"])
def _both(request):
    """The versions of one machine, and those of several."""
    if request.param == "tokens":
        request.getfixturevalue("tokens")


@pytest.mark.usefixtures("_both")
def test_the_catalogue_version_stays_while_nothing_changes():
    first = catalogue_version()
    module._known = None

    assert first
    assert catalogue_version() == first


@pytest.mark.usefixtures("_both")
@pytest.mark.django_db
def test_a_change_outside_a_transaction_renews_the_version_at_once(django_capture_on_commit_callbacks):
    before = catalogue_version()

    with django_capture_on_commit_callbacks(execute=True):
        catalogue_changed()

    assert catalogue_version() != before


@pytest.mark.usefixtures("_both")
@pytest.mark.django_db(transaction=True)
def test_a_change_renews_the_version_only_after_the_commit():
    before = catalogue_version()

    with atomic():
        catalogue_changed()
        module._known = None
        inside = catalogue_version()

    assert inside == before
    assert catalogue_version() != before


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_does_not_renew_the_version():
    before = catalogue_version()

    with pytest.raises(RuntimeError), atomic():
        catalogue_changed()
        raise RuntimeError

    module._known = None
    assert catalogue_version() == before


def test_another_process_sees_the_same_version(settings):
    program = """
        import django; django.setup()
        from shop.catalogue.version import catalogue_version
        print(catalogue_version())
    """
    there = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)

    assert there.stdout.strip() == catalogue_version()


def test_the_version_is_read_from_the_cache_at_most_once_a_second(tokens, monkeypatch):
    version = catalogue_version()
    caches["shared"].set(module.LISTS, "new")
    now = module.time.monotonic_ns()

    assert catalogue_version() == version

    monkeypatch.setattr(module.time, "monotonic_ns", lambda: now + 2 * 10**9)
    assert catalogue_version() == "new"


def test_the_version_can_be_read_while_the_cache_is_down(tokens, settings):
    settings.CACHES = {**settings.CACHES, "shared": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    assert catalogue_version().startswith("away-")


@pytest.mark.django_db(transaction=True)
def test_a_change_during_a_cache_outage_renews_the_version_afterwards(tokens, settings):
    before = catalogue_version()
    kept = settings.CACHES
    settings.CACHES = {**kept, "shared": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    catalogue_changed()
    settings.CACHES = kept
    assert caches["shared"].get(module.LISTS) == before

    assert catalogue_version() != before
    assert caches["shared"].get(module.LISTS) == catalogue_version()


@pytest.mark.django_db(transaction=True)
def test_a_process_whose_cache_keeps_an_old_version_makes_pages_that_last_some_seconds(tokens, monkeypatch):
    """A full disk: the cache can be read, and takes nothing new."""
    before = catalogue_version()
    with monkeypatch.context() as patch:
        patch.setattr(type(caches["shared"]), "set", lambda *arguments, **options: None)
        catalogue_changed()
        assert catalogue_version().startswith("away-")

    module._known = None
    assert catalogue_version() not in (before, "")
    assert not catalogue_version().startswith("away-")


def test_the_version_of_a_product_is_read_again_only_after_the_change_of_some_product(tokens):
    first = module.product_version("kettle")
    caches["shared"].set(module._product_key("kettle"), "1.new")
    module._known = replace(module._known, until=0)
    assert module.product_version("kettle") == first

    caches["shared"].set(module.PRODUCTS, "1.other")
    module._known = replace(module._known, until=0)
    assert module.product_version("kettle") == "1.new"


def test_versions_are_remembered_of_a_limited_number_of_products(tokens, monkeypatch):
    monkeypatch.setattr(module, "MAX_PRODUCTS", 3)
    for number in range(10):
        module.product_version(f"product-{number}")

    assert len(module._known.products) <= 3


@pytest.mark.django_db(transaction=True)
def test_a_process_that_cannot_write_the_file_makes_pages_that_last_some_seconds(monkeypatch):
    before = catalogue_version()
    with monkeypatch.context() as patch:
        patch.setattr(VersionFile, "renew", lambda *_: False)
        module.products_changed(["kettle"])
        assert catalogue_version().startswith("away-")
        assert module.product_version("kettle").startswith("away-")

    assert catalogue_version() not in (before, "")
    assert not catalogue_version().startswith("away-")


@pytest.mark.django_db(transaction=True)
def test_a_change_of_one_product_renews_it_at_once_and_nothing_else():
    names = ("kettle", "teapot")
    before = [catalogue_version(), module.category_version(), *map(module.product_version, names)]

    module.products_changed(["kettle"])

    after = [catalogue_version(), module.category_version(), *map(module.product_version, names)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True]


@pytest.mark.django_db(transaction=True)
def test_a_note_that_came_during_a_sweep_stays():
    module.index_behind()
    noted = module.read_index_behind()
    module.index_behind()

    module.index_caught_up(noted)
    assert module.read_index_behind()
    module.index_caught_up(module.read_index_behind())
    assert not module.read_index_behind()
