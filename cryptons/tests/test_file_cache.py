"""The cache in files is an aid: a disk that fails it fails no page."""

import pytest

from cryptons.cache_config import local_caches
from cryptons.file_cache import CULL_EVERY, ForgivingFileCache


@pytest.fixture
def cache(tmp_path):
    return ForgivingFileCache(str(tmp_path / "cache"), {})


def only_file(tmp_path):
    (file,) = (tmp_path / "cache").iterdir()
    return file


def test_a_value_is_kept(cache):
    cache.set("a", {"b": 1})
    assert (cache.get("a"), cache.has_key("a"), cache.touch("a"), cache.delete("a"), cache.get("a")) == ({"b": 1}, True, True, True, None)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x80\x05K\x01."])
def test_a_damaged_file_is_no_value(cache, tmp_path, content):
    cache.set("a", 1)
    only_file(tmp_path).write_bytes(content)

    assert cache.get("a", "nothing") == "nothing"
    cache.set("a", 2)
    assert cache.get("a") == 2


def test_a_disk_that_cannot_be_written_keeps_nothing_and_raises_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    (tmp_path / "cache").write_text("a file where the folder belongs")
    cache = ForgivingFileCache(str(tmp_path / "cache"), {})
    monkeypatch.setattr("tempfile.mkstemp", full)

    cache.set("a", 1)

    assert (cache.get("a"), cache.has_key("a"), cache.touch("a"), cache.delete("a")) == (None, False, False, False)


def test_it_is_the_shared_cache_of_a_shop_without_redis(tmp_path):
    assert local_caches(tmp_path)["shared"]["BACKEND"] == "cryptons.file_cache.ForgivingFileCache"


def test_many_entries_are_culled_although_the_files_are_counted_in_one_of_a_hundred_writes(tmp_path, monkeypatch):
    cache = ForgivingFileCache(str(tmp_path / "cache"), {"OPTIONS": {"MAX_ENTRIES": 10}})
    count, counted = cache._list_cache_files, []
    monkeypatch.setattr(cache, "_list_cache_files", lambda: counted.append(1) or count())
    for number in range(3 * CULL_EVERY):
        cache.set(f"{number}", 1)
    assert len(counted) == 3
    assert len(count()) < 3 * CULL_EVERY
