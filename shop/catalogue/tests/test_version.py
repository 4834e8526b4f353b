import subprocess
import sys
import textwrap

import pytest
from django.core.cache import caches

from cryptons.db import atomic
from shop.catalogue import version as module
from shop.catalogue.version import catalogue_changed, catalogue_version


@pytest.fixture(autouse=True)
def _forgotten():
    module._remembered = None
    yield
    module._remembered = None


def test_the_catalogue_version_stays_while_nothing_changes():
    first = catalogue_version()
    module._remembered = None

    assert first
    assert catalogue_version() == first


@pytest.mark.django_db
def test_a_change_outside_a_transaction_renews_the_version_at_once(django_capture_on_commit_callbacks):
    before = catalogue_version()

    with django_capture_on_commit_callbacks(execute=True):
        catalogue_changed()

    assert catalogue_version() != before


@pytest.mark.django_db(transaction=True)
def test_a_change_renews_the_version_only_after_the_commit():
    before = catalogue_version()

    with atomic():
        catalogue_changed()
        module._remembered = None
        inside = catalogue_version()

    assert inside == before
    assert catalogue_version() != before


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_does_not_renew_the_version():
    before = catalogue_version()

    with pytest.raises(RuntimeError), atomic():
        catalogue_changed()
        raise RuntimeError

    module._remembered = None
    assert catalogue_version() == before


def test_another_process_sees_the_same_version(settings):
    program = """
        import django; django.setup()
        from shop.catalogue.version import catalogue_version
        print(catalogue_version())
    """
    there = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)

    assert there.stdout.strip() == catalogue_version()


def test_the_version_is_read_from_the_cache_at_most_once_a_second(monkeypatch):
    version = catalogue_version()
    caches["shared"].set(module.KEY, "new")
    now = module.time.monotonic_ns()

    assert catalogue_version() == version

    monkeypatch.setattr(module.time, "monotonic_ns", lambda: now + 2 * 10**9)
    assert catalogue_version() == "new"


def test_the_version_can_be_read_while_the_cache_is_down(settings):
    settings.CACHES = {**settings.CACHES, "shared": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    assert catalogue_version().startswith("away-")


@pytest.mark.django_db(transaction=True)
def test_a_change_during_a_cache_outage_renews_the_version_afterwards(settings):
    before = catalogue_version()
    kept = settings.CACHES
    settings.CACHES = {**kept, "shared": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    catalogue_changed()
    settings.CACHES = kept
    assert caches["shared"].get(module.KEY) == before

    assert catalogue_version() != before
    assert caches["shared"].get(module.KEY) == catalogue_version()
