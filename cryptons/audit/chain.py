"""The chain of the audit log: each entry holds the hash of the one before, so that none can be changed or taken out unseen.

An entry joins the chain after its commit, not with its change: two people who work at the same time would otherwise wait for each other,
or one of them fail. The head, the newest number and hash, is also kept in DATA_DIR: it tells when the newest entries are gone, or when the
whole chain was replaced.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, IntegrityError
from pymongo.errors import PyMongoError

from cryptons.atomic_file import atomic_file
from cryptons.audit.models import Entry
from cryptons.chunks import CHUNK
from cryptons.db import in_transaction

logger = logging.getLogger("cryptons.audit")

HEAD_FILE = "audit.head"


@dataclass(frozen=True)
class Head:
    seq: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read `seq:digest`. Raises ValueError."""
        seq, _, digest = text.strip().partition(":")
        return cls(int(seq), digest)


class _Overtaken(Exception):
    """Another process joined these entries first."""


def seal() -> None:
    """Join the entries that wait to the chain. What fails is tried again by the next entry, and by the worker every minute."""
    try:
        while (head := in_transaction(_seal)) is not None:
            _keep_head(head)
    except (_Overtaken, IntegrityError):
        return
    except (DatabaseError, PyMongoError) as error:
        logger.warning("the audit log is sealed later", extra={"error": str(error)[:200]})


def _seal() -> Head | None:
    """Join one batch. Returns the new head; None if nothing waits. Raises _Overtaken or IntegrityError if another process does it."""
    waiting = list(Entry.objects.filter(seq=None).order_by("at", "id")[:CHUNK])
    if not waiting:
        return None
    head = newest()
    for entry in waiting:
        entry.seq, entry.previous = head.seq + 1, head.digest
        entry.digest = digest_of(entry)
        values = {"seq": entry.seq, "previous": entry.previous, "digest": entry.digest}
        if not Entry.objects.filter(pk=entry.pk, seq=None).update(**values):
            raise _Overtaken
        head = Head(entry.seq, entry.digest)
    return head


def newest() -> Head:
    """Return the head of the chain as the database has it."""
    last = Entry.objects.exclude(seq=None).order_by("-seq").values_list("seq", "digest").first()
    return Head(last[0] or 0, last[1]) if last else Head()


def digest_of(entry: Entry) -> str:
    """Return the SHA-256 of all that the entry says, its number and the hash before it, in hex."""
    said = {
        "seq": entry.seq,
        "id": str(entry.pk),
        "at": entry.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "person_id": str(entry.person_id or ""),
        "previous": entry.previous,
        "changes": entry.changes,
        **{name: getattr(entry, name) for name in ("person", "address", "way", "action", "object_type", "object_id", "object_name")},
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def problems(*known: Head) -> Iterator[str]:
    """Yield what is wrong with the chain, and with what it must have: each head that was kept elsewhere."""
    expected = Head()
    wanted = {head.seq: head.digest for head in known if head.seq}
    for entry in Entry.objects.exclude(seq=None).order_by("seq").iterator(chunk_size=CHUNK):
        name = f"entry {entry.seq} ({entry.pk}, {entry.at:%Y-%m-%d %H:%M})"
        if entry.seq != expected.seq + 1:
            yield f"{name} follows {expected.seq}: the entries between them were removed"
        elif entry.previous != expected.digest:
            yield f"{name} does not follow the one before it: that one was changed, removed or inserted"
        if entry.digest != digest_of(entry):
            yield f"{name} was changed"
        if wanted.pop(entry.seq or 0, entry.digest) != entry.digest:
            yield f"{name} is not the one that was kept elsewhere: the log was replaced"
        expected = Head(entry.seq or 0, entry.digest)
    for seq in sorted(wanted):
        yield f"entry {seq} was in the log, and the log now ends at {expected.seq}: the newest entries were removed"


def kept_head() -> Head:
    """Return the head that this machine has seen; none if its file is absent or unreadable."""
    with suppress(OSError, ValueError):
        return Head.parse((Path(settings.DATA_DIR) / HEAD_FILE).read_text(encoding="utf-8"))
    return Head()


def _keep_head(head: Head) -> None:
    logger.info("audit head", extra={"head": str(head)})
    try:
        if head.seq > kept_head().seq:
            with atomic_file(Path(settings.DATA_DIR) / HEAD_FILE) as part:
                part.write_text(f"{head}\n", encoding="utf-8")
    except OSError as error:
        logger.warning("the head of the audit log could not be kept", extra={"error": str(error)})
