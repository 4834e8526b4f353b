"""Celery's file-system transport, made safe for processes that can be killed at any moment.

kombu's own transport writes a message in place, and a worker that reads a half-written message dies. Here a message is whole or absent.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

from cryptons.atomic_file import atomic_file

log = logging.getLogger(__name__)

BUSY_POLL_SECONDS = 0.01
"""The pause until a worker whose threads are all busy looks for the next message."""


class Channel(filesystem.Channel):
    """Keeps each queue in a folder of its own, so that many messages in one queue do not slow down another."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        # The name sorts by age also after a reboot; kombu's own names count from the last boot.
        _write_whole(Path(self.data_folder_out) / queue / f"{time.time_ns()}_{uuid4().hex}.msg", dumps(payload))

    def _get(self, queue: str, timeout: object = None) -> dict[str, Any]:
        folder = Path(self.data_folder_in) / queue
        for name in sorted(self._waiting(queue)):
            taken = folder / f"{name}.taken"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:  # another worker was first
                continue
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            try:
                message: dict[str, Any] = loads(text)
            except ValueError:
                log.warning("The message %s is damaged and was dropped.", name)
                continue
            return message
        raise Empty

    def _waiting(self, queue: str) -> list[str]:
        try:
            return [name for name in os.listdir(Path(self.data_folder_in) / queue) if name.endswith(".msg")]
        except FileNotFoundError:
            return []

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _purge(self, queue: str) -> int:
        names = self._waiting(queue)
        for name in names:
            (Path(self.data_folder_in) / queue / name).unlink(missing_ok=True)
        return len(names)

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:  # type: ignore[override]
        try:
            return super().get_table(exchange)
        except ValueError:  # left half-written by a full disk
            return []

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with _lock(self.control_folder / "lock"):
            table = self.get_table(exchange)
            if binding not in table:
                _write_whole(self.control_folder / f"{exchange}.exchange", dumps([binding, *table]))


class Transport(filesystem.Transport):
    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **_: Any) -> None:
        """Take the next message. kombu's own method sleeps a whole polling interval even while messages wait."""
        ends = time.monotonic() + (timeout or 0)
        cycle, channels, interval = self.cycle, self.channels or [], self.polling_interval or 0
        assert cycle is not None
        while True:
            try:
                cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                if timeout is not None and time.monotonic() >= ends:
                    raise TimeoutError from None
            is_free = all(channel.qos.can_consume() for channel in channels)
            time.sleep(interval if is_free else BUSY_POLL_SECONDS)


def _write_whole(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
