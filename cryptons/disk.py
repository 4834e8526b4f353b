"""Tell whether the disks of DATA_DIR and of SQLite's file can be written, and whether one is nearly full."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from django.conf import settings
from django.utils.translation import gettext as _

LEAST_FREE_BYTES = 500_000_000
"""Staff are warned below this: enough for a day of orders, so that there is time to make room."""
BLOCK = bytes(4096)


@dataclass(frozen=True)
class Disk:
    free_bytes: int
    can_be_written: bool
    problem: str
    """What is wrong, as a sentence; empty if nothing is."""


def read_disk() -> Disk:
    """Look at each disk, and return the worst, or else the first.

    It is written to: a file system that an error made read-only may still call itself writable.
    """
    disks = [_read(name, folder) for name, folder in _folders().items()]
    return min(disks, key=lambda disk: (disk.can_be_written, not disk.problem))


def _folders() -> dict[str, Path]:
    """Return what is written to, by the setting that names it."""
    database = Path(settings.DATABASES["default"]["NAME"])
    is_elsewhere = database.is_file() and not database.is_relative_to(settings.DATA_DIR)
    return {"DATA_DIR": settings.DATA_DIR} | ({"DATABASE_URL": database.parent} if is_elsewhere else {})


def _read(name: str, folder: Path) -> Disk:
    try:
        free = shutil.disk_usage(folder).free
        with TemporaryFile(dir=folder, buffering=0) as file:
            file.write(BLOCK)
    except OSError as error:
        problem = _("Nothing can be written to the disk of %(name)s (%(error)s), so no order can be taken and no payment be stored.")
        return Disk(0, can_be_written=False, problem=problem % {"name": name, "error": error.strerror})
    if free >= LEAST_FREE_BYTES:
        return Disk(free, can_be_written=True, problem="")
    problem = _("The disk of %(name)s is nearly full: only %(free)d MB are free. When it is full, no order can be taken: make room on it.")
    return Disk(free, can_be_written=True, problem=problem % {"name": name, "free": free // 1_000_000})
