"""What processes of one machine share through the file of versions."""

import errno
import os
import subprocess
import sys

import pytest

from cryptons import version_file
from cryptons.version_file import SLOT_BYTES, SLOTS, VersionFile

pytestmark = pytest.mark.database


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "versions"


@pytest.fixture
def file(path):
    return VersionFile(path, own=("lists",))


def is_later(file):
    file._checked_until = 0


def test_a_version_stays_until_it_is_renewed(file):
    first = file.read("kettle")

    assert first
    assert file.read("kettle") == first
    assert file.renew("kettle")
    assert file.read("kettle") > first


def test_another_process_sees_a_renewal_at_once_and_renews(file, path):
    program = f"""
from pathlib import Path
from cryptons.version_file import VersionFile
file = VersionFile(Path({str(path)!r}), own=("lists",))
for line in open(0):
    if line.strip() == "renew":
        file.renew("kettle")
    print(file.read("kettle"), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:

        def ask(what):
            other.stdin.write(f"{what}\n")
            other.stdin.flush()
            return int(other.stdout.readline())

        assert ask("read") == file.read("kettle")
        file.renew("kettle")
        assert ask("read") == file.read("kettle")
        assert ask("renew") == file.read("kettle")
        other.stdin.close()


def test_names_renew_no_others_but_those_of_the_same_slot(file, monkeypatch):
    monkeypatch.setattr(version_file.zlib, "crc32", {b"kettle": 5, b"teapot": 6, b"pan": 5}.__getitem__)
    before = {name: file.read(name) for name in ("kettle", "teapot", "pan", "lists")}

    file.renew("kettle")

    changed = {name for name in before if file.read(name) != before[name]}
    assert changed == {"kettle", "pan"}


@pytest.mark.parametrize("number", [0, SLOTS - 2, 2**32 - 1])
def test_a_name_with_a_slot_of_its_own_is_renewed_by_no_other(file, monkeypatch, number):
    monkeypatch.setattr(version_file.zlib, "crc32", lambda _: number)
    before = file.read("lists")

    file.renew("kettle")

    assert file.read("lists") == before


def test_no_version_comes_twice_when_the_clock_is_set_back(file, path, monkeypatch):
    seen = {file.read("kettle")}
    for day in (3, 2, 1, 1, 1):
        monkeypatch.setattr(version_file.time, "time_ns", lambda day=day: day * 86_400 * 10**9)
        for writer in (file, VersionFile(path, own=("lists",))):  # a process that has written nothing yet, too
            writer.renew("kettle")
            seen.add(file.read("kettle"))

    assert len(seen) == 11


def test_after_a_power_cut_the_lost_versions_do_not_come_back(file, path, monkeypatch):
    file.read("kettle")
    on_disk = path.read_bytes()
    file.renew("kettle")
    lost = file.read("kettle")

    path.write_bytes(on_disk)
    monkeypatch.setattr(version_file.time, "time_ns", lambda: 0)
    newcomer = VersionFile(path, own=("lists",))
    newcomer.renew("kettle")

    assert newcomer.read("kettle") != lost


@pytest.mark.parametrize("damage", [os.unlink, lambda path: os.truncate(path, 100), lambda path: path.write_bytes(b"")])
def test_a_file_that_is_gone_or_damaged_is_made_again_and_makes_all_versions_new(path, damage):
    file = VersionFile(path)
    before = {file.read("kettle"), file.read("teapot")}
    file._forget()  # what is mapped must not be cut short under a reader
    damage(path)

    is_later(file)
    assert not before & {file.read("kettle"), file.read("teapot")}
    assert path.stat().st_size == SLOTS * SLOT_BYTES


def test_a_process_notices_that_another_file_is_in_the_place_of_its_own(file, path):
    before = file.read("kettle")
    path.unlink()
    other = VersionFile(path, own=("lists",))
    other.renew("kettle")

    is_later(file)
    assert file.read("kettle") == other.read("kettle") != before


def test_a_disk_that_takes_no_file_gives_no_versions(file, path):
    path.parent.write_text("a file where the folder belongs")

    assert file.read("kettle") == 0
    assert not file.renew("kettle")

    path.parent.unlink()
    is_later(file)
    assert file.read("kettle")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_write_that_fails_is_told_and_ends_no_process(file, monkeypatch, number):
    before = file.read("kettle")

    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(version_file.os, "pwrite", fail)

    assert not file.renew("kettle")
    assert file.read("kettle") == before
