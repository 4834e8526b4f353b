"""A file is whole or not there."""

import pytest

from cryptons.atomic_file import atomic_file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.csv"


def test_the_old_file_stays_until_the_new_one_is_whole(file):
    file.write_text("old")

    with atomic_file(file) as part:
        part.write_text("new")
        assert file.read_text() == "old"

    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(file, error):
    file.write_text("old")

    with pytest.raises(error), atomic_file(file) as part:
        part.write_text("half")
        raise error

    assert (file.read_text(), list(file.parent.iterdir())) == ("old", [file])


def test_two_writers_at_once_do_not_mix(file):
    with atomic_file(file) as first, atomic_file(file) as second:
        first.write_text("first")
        second.write_text("second")

    assert (file.read_text(), list(file.parent.iterdir())) == ("first", [file])


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "missing" / "ledger.csv") as part:
        part.write_text("x")
