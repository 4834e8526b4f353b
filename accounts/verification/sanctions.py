"""The merchant's sanctions list: names and addresses of those with whom the shop does no business.

A text file has a name, postal address or mail address a line; `#` begins a comment. A `.csv` file has a first line with the names of its
columns, of which `name`, `address` and `email` are read. The file is read again when it has changed.
"""

import csv
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from accounts.verification.sums import mailbox_of, words_of

logger = logging.getLogger(__name__)

COLUMNS = ("name", "address", "email")
MOST_BYTES = 100_000_000
Words = frozenset[str]


class UnreadableList(Exception):
    """The list cannot be read, or has no entry. The text says why."""


@dataclass(frozen=True)
class SanctionsList:
    emails: frozenset[str]
    whole: Mapping[Words, str]
    """Each entry by its words."""
    by_word: Mapping[str, tuple[Words, ...]]
    """The entries of two words or more, by the one that is first in the alphabet."""

    def find(self, *, names: Iterable[str], address: Iterable[str], email: str) -> Iterator[str]:
        """Yield the entries that a name, the address or the mail address matches; one of them may come twice.

        An entry matches a name or an address that has all of its words, in any order; one of a single word only a name of just that.
        """
        if (mail := mailbox_of(email)) in self.emails:
            yield mail
        texts = [frozenset(words_of(name)) for name in names]
        place = frozenset(words_of(" ".join(address)))
        for words in texts:
            if words in self.whole:
                yield self.whole[words]
        for words in (*texts, place):
            for word in words:
                for entry in self.by_word.get(word, ()):
                    if entry <= words:
                        yield self.whole[entry]


_lock = Lock()
_read: tuple[tuple[str, int, int, int], SanctionsList] | None = None
"""The list that was read last, with the file's path, time, size and number then."""


def current_list(path: str) -> SanctionsList:
    """Return the list as the file has it now. Raises UnreadableList."""
    global _read
    with _lock:
        try:
            stat = Path(path).stat()
            state = (path, stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if _read is None or _read[0] != state:
                if stat.st_size > MOST_BYTES:
                    raise UnreadableList(f"it has more than {MOST_BYTES // 1_000_000} MB")
                _read = (state, _parse(path))
        except (OSError, ValueError, csv.Error) as error:
            _read = None
            raise UnreadableList(f"{type(error).__name__}: {error}") from error
        return _read[1]


def _parse(path: str) -> SanctionsList:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        texts = list(_cells(file) if path.lower().endswith(".csv") else _lines(file))
    emails = frozenset(mailbox_of(text) for text in texts if "@" in text and " " not in text)
    whole = {words: text for text in texts if (words := frozenset(words_of(text))) and "@" not in text}
    if not emails and not whole:
        raise UnreadableList("it has no entry")
    by_word: dict[str, list[Words]] = {}
    for words in whole:
        if len(words) > 1:
            by_word.setdefault(min(words), []).append(words)
    return SanctionsList(emails, whole, {word: tuple(entries) for word, entries in by_word.items()})


def _lines(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        if text := line.partition("#")[0].strip():
            yield text


def _cells(file: Iterable[str]) -> Iterator[str]:
    rows = csv.DictReader(file)
    columns = [column for column in rows.fieldnames or () if column.strip().lower() in COLUMNS]
    if not columns:
        raise UnreadableList(f"its first line must name a column {', '.join(COLUMNS)}")
    for row in rows:
        yield from (text.strip() for column in columns if (text := row[column]) and text.strip())
