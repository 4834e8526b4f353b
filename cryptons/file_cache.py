"""The cache in files, as an aid that may fail: on a disk that is full, read-only or was damaged it is empty, and the shop goes on."""

import itertools
import pickle
import zlib
from contextlib import suppress
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.filebased import FileBasedCache

UNREADABLE = (OSError, EOFError, ValueError, pickle.UnpicklingError, zlib.error)

CULL_EVERY = 100
"""Writes, until the files are counted again: with 2,000 of them counting takes 3 ms, twenty times as long as the write."""


class ForgivingFileCache(FileBasedCache):
    _writes = itertools.count(1)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        try:
            return super().get(key, default, version)
        except UNREADABLE:
            return default

    def has_key(self, key: Any, version: int | None = None) -> bool:
        try:
            return bool(super().has_key(key, version))
        except UNREADABLE:
            return False

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        with suppress(OSError):
            super().set(key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        try:
            return bool(super().touch(key, timeout, version))
        except UNREADABLE:
            return False

    def delete(self, key: Any, version: int | None = None) -> bool:
        try:
            return bool(super().delete(key, version))
        except OSError:
            return False

    def _cull(self) -> None:
        if next(self._writes) % CULL_EVERY == 0:
            super()._cull()  # type: ignore[misc]

    def _createdir(self) -> None:
        with suppress(OSError):
            super()._createdir()  # type: ignore[misc]
