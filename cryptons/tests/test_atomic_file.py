"""A file is whole or not there."""

import pytest

from cryptons.atomic_file import atomic_file, flush_to_disk


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ledger.csv"


def test_the_old_file_stays_until_the_new_one_is_complete(file):
    file.write_text("old")

    with atomic_file(file) as part:
        part.write_text("new")
        assert file.read_text() == "old"

    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_only_the_old_file(file, error):
    file.write_text("old")

    with pytest.raises(error), atomic_file(file) as part:
        part.write_text("half")
        raise error

    assert (file.read_text(), list(file.parent.iterdir())) == ("old", [file])


def test_simultaneous_writers_do_not_mix_their_contents(file):
    with atomic_file(file) as first, atomic_file(file) as second:
        first.write_text("first")
        second.write_text("second")

    assert (file.read_text(), list(file.parent.iterdir())) == ("first", [file])


def test_writing_into_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "missing" / "ledger.csv") as part:
        part.write_text("x")


def test_a_durable_file_is_flushed_before_it_has_its_name_and_its_folder_afterwards(file, monkeypatch):
    written = []
    monkeypatch.setattr("cryptons.atomic_file.os.fsync", lambda number: written.append(file.exists()))

    with atomic_file(file, is_durable=True) as part:
        part.write_text("new")

    assert written == [False, True]


def test_files_are_flushed_before_the_folders_that_hold_them(tmp_path, monkeypatch):
    folder = tmp_path / "media" / "products" / "7f"
    folder.mkdir(parents=True)
    files = [folder / "a.webp", folder / "b.webp"]
    for file in files:
        file.write_text("picture")
    flushed = []
    monkeypatch.setattr("cryptons.atomic_file._flush", flushed.append)

    flush_to_disk(*files, up_to=tmp_path)

    folders = [folder, folder.parent, tmp_path / "media", tmp_path]
    assert flushed == [*files, *folders]
