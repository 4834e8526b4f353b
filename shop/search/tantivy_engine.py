"""The search engine inside the program: an index in a folder, one writer at a time, any number of readers.

`DATA_DIR/search/current` names the folder that serves. A rebuild writes a new folder and swaps the name.
"""

import fcntl
import secrets
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import tantivy
from django.conf import settings

from cryptons.atomic_file import atomic_file
from shop.search.base import (
    BOOSTS,
    EPOCH,
    Entry,
    Facets,
    IndexBusy,
    Query,
    Result,
    SearchUnavailable,
    facet_aggregations,
    fold,
    forgiven_slips,
    hundredths,
    index_words,
    microseconds,
    read_facets,
    read_words,
)

SCHEMA_VERSION = 3
"""Part of the folder's name: an index of another version is not read, and the sweep builds a new one."""

HEAP_BYTES = 30_000_000
SORTED_BY = {
    "price": ("price", tantivy.Order.Asc),
    "-price": ("price", tantivy.Order.Desc),
    "newest": ("created", tantivy.Order.Desc),
    "rating": ("rating_order", tantivy.Order.Desc),
    "name": ("name_order", tantivy.Order.Asc),
}


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("name", "sku", "category", "description"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("stems", tokenizer_name="stems", index_option="freq")
    builder.add_text_field("category_id", fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("name_order", fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("price", "rating", "rating_order", "created", "updated"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    builder.add_boolean_field("in_stock", indexed=True, fast=True)
    return builder.build()


SCHEMA = _schema()
STEMMER = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.stemmer("english")).build()


def _document(entry: Entry) -> tantivy.Document:
    name, category, description = map(index_words, (entry.name, entry.category_names, entry.description))
    document = tantivy.Document()
    document.add_text("id", str(entry.id))
    document.add_text("name", name)
    document.add_text("sku", fold(entry.sku))
    document.add_text("category", category)
    document.add_text("description", description)
    document.add_text("stems", f"{name} {category} {description}")
    document.add_text("category_id", str(entry.category_id))
    document.add_text("name_order", f"{fold(entry.name)} {entry.id}")
    document.add_unsigned("price", max(0, entry.price_minor))
    document.add_unsigned("rating", hundredths(entry.rating_average))
    document.add_unsigned("rating_order", hundredths(entry.rating_average) * 2**32 + min(entry.rating_count, 2**32 - 1))
    document.add_unsigned("created", max(0, microseconds(entry.created_at)))
    document.add_unsigned("updated", max(0, microseconds(entry.updated_at)))
    document.add_boolean("in_stock", entry.in_stock)
    return document


def _open(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    index.register_tokenizer("stems", STEMMER)
    index.config_reader("manual")
    return index


def _words_query(words: Sequence[str], occur: tantivy.Occur) -> tantivy.Query:
    return tantivy.Query.boolean_query([(occur, _word_query(word)) for word in words])


def _word_query(word: str) -> tantivy.Query:
    """Match the exact word, a word that begins with it, or a similar word, in any field; the best match counts."""
    exact, begins, like = tantivy.Query.term_query, tantivy.Query.fuzzy_term_query, tantivy.Query.fuzzy_term_query
    slips = forgiven_slips(word)
    ways = []
    for field, (itself, beginning, alike) in BOOSTS.items():
        term = "".join(STEMMER.analyze(word)) if field == "stems" else word
        ways.append(tantivy.Query.boost_query(exact(SCHEMA, field, term, "freq"), itself))
        if beginning:
            ways.append(tantivy.Query.boost_query(begins(SCHEMA, field, word, 0, True, True), beginning))
        if alike and slips:
            ways.append(tantivy.Query.boost_query(like(SCHEMA, field, word, slips, True, False), alike))
            if len(word) >= 5:
                ways.append(tantivy.Query.boost_query(like(SCHEMA, field, word, 1, True, True), alike))
    return tantivy.Query.disjunction_max_query(ways)


def _filters(query: Query) -> dict[str, tantivy.Query]:
    """Return the filters by the facet that is counted without them."""
    filters = {}
    if query.category_ids is not None:
        ids = [str(category_id) for category_id in query.category_ids]
        filters["category"] = tantivy.Query.term_set_query(SCHEMA, "category_id", ids) if ids else tantivy.Query.empty_query()
    lowest, highest = query.min_price_minor, query.max_price_minor
    if lowest is not None or highest is not None:
        filters["price"] = tantivy.Query.range_query(
            SCHEMA, "price", tantivy.FieldType.Unsigned, _unsigned(lowest or 0), None if highest is None else _unsigned(highest)
        )
        if highest is not None and highest < 0:
            filters["price"] = tantivy.Query.empty_query()
    if query.min_rating is not None:
        filters["rating"] = tantivy.Query.range_query(
            SCHEMA, "rating", tantivy.FieldType.Unsigned, _unsigned(hundredths(query.min_rating)), None
        )
    if query.in_stock:
        filters["in_stock"] = tantivy.Query.term_query(SCHEMA, "in_stock", True, "basic")
    return filters


def _unsigned(number: int) -> int:
    return min(max(number, 0), 2**63 - 1)


def _all_of(parts: Iterable[tantivy.Query]) -> tantivy.Query:
    musts = [(tantivy.Occur.Must, part) for part in parts]
    return tantivy.Query.boolean_query(musts) if musts else tantivy.Query.all_query()


@dataclass(frozen=True)
class _Open:
    name: str
    index: tantivy.Index
    stamp: tuple[int, int]
    """Number and time of the file that each commit replaces. A new value means a new commit."""


class TantivyEngine:
    name = "tantivy"

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._open: _Open | None = None
        self._opening = threading.Lock()

    @property
    def folder(self) -> Path:
        return self._folder or settings.DATA_DIR / "search"

    def is_ready(self) -> bool:
        try:
            self._searcher()
        except SearchUnavailable:
            return False
        return True

    def search(self, query: Query) -> Result:
        searcher, words = self._searcher(), read_words(query.text)
        if (query.text.strip() and not words) or not searcher.num_docs:
            return Result((), 0, Facets(), self.name)
        try:
            result = _search(searcher, query, words, tantivy.Occur.Must)
            return result if result.total or len(words) < 2 else _search(searcher, query, words, tantivy.Occur.Should)
        except (ValueError, OSError) as error:
            raise SearchUnavailable(f"The index could not be read: {error}") from error

    def write(self, entries: Iterable[Entry], gone: Iterable[UUID]) -> None:
        with self._only_writer():
            current = self._current()
            if not current:
                raise SearchUnavailable("There is no index yet.")
            index = _open(current)
            with _writer(index) as writer:
                for product_id in gone:
                    writer.delete_documents_by_term("id", str(product_id))
                for entry in entries:
                    writer.delete_documents_by_term("id", str(entry.id))
                    writer.add_document(_document(entry))

    def refresh(self) -> None:
        """Do nothing: each search reads the last commit."""

    def rebuild(self, entries: Iterable[Entry]) -> int:
        """Replace the index by one of exactly these entries; the old one serves until then. Returns how many."""
        with self._only_writer():
            name, count = f"v{SCHEMA_VERSION}-{secrets.token_hex(6)}", 0
            new = self.folder / name
            new.mkdir()
            try:
                index = tantivy.Index(SCHEMA, path=str(new))
                index.register_tokenizer("stems", STEMMER)
                with _writer(index) as writer:
                    for entry in entries:
                        writer.add_document(_document(entry))
                        count += 1
            except BaseException:  # also Ctrl-C: what is half filled goes, and the error goes on
                shutil.rmtree(new, ignore_errors=True)
                raise
            _write_whole(self.folder / "current", name)
            for old in self.folder.glob("v*-*"):
                if old.name != name:
                    shutil.rmtree(old, ignore_errors=True)
        return count

    def stamps(self) -> dict[UUID, int]:
        """Return when each indexed product was last changed, in microseconds since 1970."""
        return self._stamps(tantivy.Query.all_query())

    def stamps_of(self, ids: Iterable[UUID]) -> dict[UUID, int]:
        id_texts = [str(product_id) for product_id in ids]
        return self._stamps(tantivy.Query.term_set_query(SCHEMA, "id", id_texts)) if id_texts else {}

    def count(self) -> int:
        return self._searcher().num_docs

    def newest_change(self) -> datetime | None:
        """Return the latest `updated_at` in the index; later changes are not in it yet."""
        searcher = self._searcher()
        hits = searcher.search(tantivy.Query.all_query(), 1, order_by_field="updated").hits
        return EPOCH + timedelta(microseconds=hits[0][0]) if hits else None

    def _stamps(self, query: tantivy.Query) -> dict[UUID, int]:
        searcher = self._searcher()
        hits = searcher.search(query, max(1, searcher.num_docs), count=False).hits
        addresses = [address for _, address in hits]
        updated = searcher.fast_field_values("updated", addresses)
        return {_product_id(searcher, address): int(at or 0) for address, at in zip(addresses, updated, strict=True)}

    def _current(self) -> Path | None:
        try:
            name = (self.folder / "current").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        folder = self.folder / name
        return folder if name.startswith(f"v{SCHEMA_VERSION}-") and (folder / "meta.json").exists() else None

    def _searcher(self) -> tantivy.Searcher:
        """Return a searcher over the last commit, also if another process made it."""
        try:
            current = self._current()
            if not current:
                raise SearchUnavailable("There is no index yet.")
            meta = (current / "meta.json").stat()
            stamp = (meta.st_ino, meta.st_mtime_ns)
            if (known := self._open) and known.name == current.name and known.stamp == stamp:
                return known.index.searcher()
            with self._opening:
                known = self._open
                index = known.index if known and known.name == current.name else _open(current)
                index.reload()
                self._open = _Open(current.name, index, stamp)
            return index.searcher()
        except (ValueError, OSError) as error:
            self._open = None
            raise SearchUnavailable(f"The index could not be opened: {error}") from error

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """Hold the writer's lock. It ends with the process, so a killed writer leaves none behind. Raises IndexBusy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise IndexBusy("Another process writes to the index.") from error
            yield


@contextmanager
def _writer(index: tantivy.Index) -> Iterator[tantivy.IndexWriter]:
    """Commit at the end, all or nothing, and wait for the merges, so that none runs without the lock."""
    try:
        writer = index.writer(HEAP_BYTES, 1)
        try:
            yield writer
            writer.commit()
        finally:
            writer.wait_merging_threads()
    except ValueError as error:
        raise SearchUnavailable(f"The index could not be written: {error}") from error


def _search(searcher: tantivy.Searcher, query: Query, words: Sequence[str], occur: tantivy.Occur) -> Result:
    text = [_words_query(words, occur)] if words else []
    filters = _filters(query)
    filtered = _all_of([*text, *filters.values()])
    field, order = SORTED_BY.get(query.order, (None, tantivy.Order.Desc))
    beyond = query.offset >= searcher.num_docs  # the engine makes room for all that is skipped, so nothing absurd is asked of it
    offset, limit = (0, 1) if beyond else (query.offset, query.limit)
    response: Any = searcher.search(filtered, limit, order_by_field=field, offset=offset, order=order)
    ids = [] if beyond else [_product_id(searcher, address) for _, address in response.hits]
    return Result(ids, response.count, _count_facets(searcher, text, filters), TantivyEngine.name)


def _count_facets(searcher: tantivy.Searcher, text: Sequence[tantivy.Query], filters: Mapping[str, tantivy.Query]) -> Facets:
    """Count the facets. Facets that leave the same filters out are counted together."""
    together: dict[tuple[str, ...], dict[str, Any]] = {}
    for facet, wish in facet_aggregations().items():
        together.setdefault(tuple(name for name in filters if name != facet), {})[facet] = wish
    buckets = {}
    for others, wishes in together.items():
        counted = searcher.aggregate(_all_of([*text, *(filters[name] for name in others)]), wishes)
        buckets.update({facet: counted[facet]["buckets"] for facet in wishes})
    return read_facets(buckets)


def _product_id(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> UUID:
    return UUID(searcher.doc(address)["id"][0])


def _write_whole(file: Path, text: str) -> None:
    with atomic_file(file) as part:
        part.write_text(text, encoding="utf-8")
