"""Nobody changes, removes or inserts an entry unseen."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from cryptons.audit import chain
from cryptons.audit.chain import Head, kept_head, newest, problems, seal
from cryptons.audit.models import Entry
from cryptons.audit.writing import write
from cryptons.db import atomic, new_id

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_head(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def five():
    for number in range(5):
        write("change", "product", str(new_id()), f"Kettle {number}", {"price_minor": ("4999", str(number))})


def verify(*arguments: str) -> str:
    """Run the command. Returns all it prints, with `FAILED` when it exits with 1."""
    out, err = StringIO(), StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=err)
    except CommandError:
        return f"FAILED {err.getvalue()}"
    return out.getvalue()


def test_entries_are_joined_in_order_and_the_chain_is_whole(five):
    entries = list(Entry.objects.order_by("seq"))
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == ["", *(entry.digest for entry in entries[:-1])]
    assert newest() == kept_head() == Head(5, entries[-1].digest)
    assert verify() == f"The audit log is whole. Its head is {newest()}\n"


@pytest.mark.parametrize(
    "values",
    [{"person": "eve"}, {"changes": {"price_minor": ["4999", "9"]}}, {"address": "203.0.113.1"}, {"action": "add"}, {"object_id": ""}],
)
def test_a_changed_entry_is_found(five, values):
    Entry.objects.filter(seq=3).update(**values)
    assert verify().startswith("FAILED entry 3 (")


def test_a_changed_entry_with_a_hash_that_fits_is_found_by_the_next(five):
    Entry.objects.filter(seq=3).update(person="eve")
    entry = Entry.objects.get(seq=3)
    Entry.objects.filter(seq=3).update(digest=chain.digest_of(entry))
    assert verify().startswith("FAILED entry 4 (")


def test_a_removed_entry_is_found(five):
    Entry.objects.filter(seq=3).delete()
    assert "entry 4" in verify()
    assert "the entries between them were removed" in verify()


def test_an_inserted_entry_is_found(five):
    Entry.objects.filter(seq=5).update(seq=6)
    Entry.objects.create(seq=5, way="admin", action="change", object_type="product", person="eve")
    assert verify().startswith("FAILED entry 5 (")


def test_newest_entries_that_are_gone_are_found_by_a_head_that_was_kept_elsewhere(five, settings, tmp_path):
    head = str(newest())
    Entry.objects.filter(seq__gt=3).delete()
    assert "entry 5 was in the log, and the log now ends at 3" in verify()

    (tmp_path / chain.HEAD_FILE).unlink()
    assert "whole" in verify()
    assert "entry 5 was in the log, and the log now ends at 3" in verify("--head", head)


def test_a_chain_that_was_replaced_is_found_by_a_head_that_was_kept_elsewhere(five):
    Entry.objects.filter(seq=1).update(person="eve")
    Entry.objects.update(seq=None)
    chain._seal()
    assert list(problems()) == []
    assert "the log was replaced" in verify()


def test_an_entry_is_never_saved_again_or_deleted(five):
    entry = Entry.objects.get(seq=1)
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()


def test_an_entry_of_a_transaction_that_fails_is_not_written():
    with pytest.raises(ZeroDivisionError), atomic():
        write("change", "product")
        raise ZeroDivisionError
    assert not Entry.objects.exists()


def test_many_writers_at_once_make_one_chain():
    def write_some() -> None:
        try:
            for _ in range(5):
                write("change", "product")
        finally:
            connection.close()

    writers = [threading.Thread(target=write_some) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    seal()

    assert [entry.seq for entry in Entry.objects.order_by("seq")] == list(range(1, 21))
    assert list(problems(kept_head())) == []
