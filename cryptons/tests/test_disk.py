"""Whether the disk can be written is found out by writing to it."""

import errno
from types import SimpleNamespace

import pytest

from cryptons.disk import LEAST_FREE_BYTES, read_disk
from cryptons.tests.disks import break_disk, fill_disk


def test_a_disk_with_space_is_no_problem_and_looking_at_it_leaves_nothing_behind(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    disk = read_disk()
    assert (disk.can_be_written, disk.problem, disk.free_bytes > 0) == (True, "", True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "is_problem"), [(LEAST_FREE_BYTES, False), (LEAST_FREE_BYTES - 1, True), (0, True)])
def test_a_disk_is_nearly_full_below_the_limit(monkeypatch, free, is_problem):
    fill_disk(monkeypatch, free=free)
    disk = read_disk()
    assert (disk.can_be_written, disk.free_bytes, bool(disk.problem)) == (True, free, is_problem)


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "No space left on device"), (errno.EIO, "Input/output error")],
)
def test_a_disk_that_cannot_be_written_says_why(monkeypatch, number, says):
    break_disk(monkeypatch, number)
    disk = read_disk()
    assert (disk.can_be_written, f"({says})" in disk.problem) == (False, True)


def test_a_data_folder_that_is_gone_is_a_disk_that_cannot_be_written(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "gone"
    assert not read_disk().can_be_written


def test_the_disk_of_a_database_elsewhere_is_looked_at_too(settings, tmp_path, monkeypatch):
    file = tmp_path / "cryptons.sqlite3"
    file.touch()
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(file))
    monkeypatch.setattr(
        "cryptons.disk.shutil.disk_usage", lambda folder: SimpleNamespace(free=0 if folder == tmp_path else LEAST_FREE_BYTES)
    )
    assert read_disk().problem.startswith("The disk of DATABASE_URL is nearly full")
