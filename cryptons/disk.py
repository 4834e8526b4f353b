"""Tell whether the disk of DATA_DIR can be written, and whether it is nearly full."""

import shutil
from dataclasses import dataclass
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
    """Look at the disk by writing to it: a file system that an error made read-only may still call itself writable."""
    try:
        free = shutil.disk_usage(settings.DATA_DIR).free
        with TemporaryFile(dir=settings.DATA_DIR, buffering=0) as file:
            file.write(BLOCK)
    except OSError as error:
        problem = _("Nothing can be written to the disk of DATA_DIR (%(error)s), so no order can be taken and no payment be stored.")
        return Disk(0, can_be_written=False, problem=problem % {"error": error.strerror})
    if free >= LEAST_FREE_BYTES:
        return Disk(free, can_be_written=True, problem="")
    problem = _("The disk of DATA_DIR is nearly full: only %(free)d MB are free. When it is full, no order can be taken: make room on it.")
    return Disk(free, can_be_written=True, problem=problem % {"free": free // 1_000_000})
