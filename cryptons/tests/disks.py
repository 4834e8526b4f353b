"""Disks that are nearly full or cannot be written, for the tests of what the shop says about them."""

import errno
import os
from types import SimpleNamespace
from typing import Any

import pytest


def fill_disk(monkeypatch: pytest.MonkeyPatch, *, free: int) -> None:
    monkeypatch.setattr("cryptons.disk.shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=free)))


def break_disk(monkeypatch: pytest.MonkeyPatch, number: int = errno.EROFS) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("cryptons.disk.TemporaryFile", refuse)
