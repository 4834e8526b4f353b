"""Versions that all processes of one machine share: a small file of numbers that each of them maps into its memory."""

import mmap
import os
import secrets
import sys
import threading
import time
import zlib
from pathlib import Path

from cryptons.atomic_file import atomic_file

SLOTS = 65_536
SLOT_BYTES = 8
CHECK_SECONDS = 1
RANDOM_BITS = 22
"""The low bits of a version are random, the others count time in steps of 4 ms: two processes that write at once differ."""


class VersionFile:
    """A version for each name. Code that changes what belongs to a name renews its version.

    `read` is an access to memory, without a system call or a lock, so it may be called for each request, and on an event loop. Another
    process sees a renewal at once. `own` names have a slot for themselves; the others share the rest by a hash, so that a renewal may
    renew others, too: what was cached for them is made again, and nothing old is ever shown.

    Writes go through the file: on a disk that is full or read-only they fail, where a write to mapped memory would end the process.
    """

    def __init__(self, path: Path, *, own: tuple[str, ...] = ()) -> None:
        self._path = path
        self._own = {name: number for number, name in enumerate(own)}
        self._lock = threading.Lock()
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._slots: memoryview | None = None
        self._last = 0
        self._checked_until = 0

    def read(self, name: str) -> int:
        """Return the name's version: nanoseconds since 1970, about when it was renewed. 0 while the file cannot be read."""
        if time.monotonic_ns() >= self._checked_until:
            with self._lock:
                self._check()
        slots = self._slots
        return slots[self._slot(name)] if slots is not None else 0

    def renew(self, *names: str) -> bool:
        """Give each name a version that no name had before. Returns whether all were written."""
        with self._lock:
            self._check()
            if self._file is None or self._slots is None:
                return False
            numbers = [self._slot(name) for name in names]
            version = self._new(max((self._slots[number] for number in numbers), default=0)).to_bytes(SLOT_BYTES, sys.byteorder)
            try:
                return all(os.pwrite(self._file, version, number * SLOT_BYTES) == SLOT_BYTES for number in numbers)
            except OSError:
                return False

    def _slot(self, name: str) -> int:
        number = self._own.get(name)
        if number is not None:
            return number
        return len(self._own) + zlib.crc32(name.encode()) % (SLOTS - len(self._own))

    def _new(self, newest: int) -> int:
        """Make a version above `newest` and all that this process made, also when the clock was set back."""
        step = (max(time.time_ns(), newest, self._last) >> RANDOM_BITS) + 1
        self._last = step << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
        return self._last

    def _check(self) -> None:
        """Map the file, if it is not mapped or another one is in its place. A file that is missing or damaged is made again."""
        self._checked_until = time.monotonic_ns() + CHECK_SECONDS * 10**9
        try:
            if self._identity is None or self._identity != self._identity_on_disk():
                self._map()
        except OSError:
            self._forget()

    def _identity_on_disk(self) -> tuple[int, int] | None:
        """Return device and inode; None for a file that is missing or has another size."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return (status.st_dev, status.st_ino) if status.st_size == SLOTS * SLOT_BYTES else None

    def _map(self) -> None:
        self._forget()
        if self._identity_on_disk() is None:
            self._make()
        file = os.open(self._path, os.O_RDWR)
        try:
            status = os.fstat(file)
            mapped = mmap.mmap(file, SLOTS * SLOT_BYTES, prot=mmap.PROT_READ)
        except (OSError, ValueError) as error:
            os.close(file)
            raise OSError("The file of versions cannot be mapped.") from error
        self._file, self._identity, self._slots = file, (status.st_dev, status.st_ino), memoryview(mapped).cast("Q")

    def _make(self) -> None:
        """Make the file. All its versions are new, because a process may still keep what it made under those of a former file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._path) as part:
            part.write_bytes(self._new(0).to_bytes(SLOT_BYTES, sys.byteorder) * SLOTS)

    def _forget(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = self._identity = self._slots = None
