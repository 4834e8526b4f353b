"""Search by Elasticsearch 8: one alias, behind it one index; a rebuild fills another and swaps the alias.

A page asks over a connection with a short deadline, and leaves a server that failed alone for a while: then the database answers at once.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch, NotFoundError, UnsupportedProductError, helpers
from elasticsearch.dsl.connections import connections

from cryptons.chunks import chunks
from cryptons.circuit_breaker import CircuitBreaker
from shop.search.base import (
    BOOSTS,
    EPOCH,
    Entry,
    Facets,
    IndexBusy,
    Query,
    Result,
    SearchUnavailable,
    bounded,
    facet_aggregations,
    forgiven_slips,
    hundredths,
    microseconds,
    read_facets,
    read_words,
)
from shop.search.documents import ProductDocument, source_of

PAGE_SECONDS = 0.4
"""How long a page waits for an answer."""

PROBE_SECONDS = 2
"""How long an indexing worker checks that the server answers, before it sends anything."""

BULK = 500
MAX_WINDOW = 1_000_000

SORTED_BY: dict[str, list[dict[str, str]]] = {
    "price": [{"price": "asc"}, {"name_order": "asc"}],
    "-price": [{"price": "desc"}, {"name_order": "asc"}],
    "newest": [{"created": "desc"}, {"name_order": "asc"}],
    "rating": [{"rating_order": "desc"}, {"name_order": "asc"}],
    "name": [{"name_order": "asc"}],
    "relevance": [{"_score": "desc"}, {"name_order": "asc"}],
}


@contextmanager
def _failures_as_unavailable() -> Iterator[None]:
    """Turn any failure of the server into SearchUnavailable. A wrong query (400) is a bug of ours and is raised as it is."""
    try:
        yield
    except TransportError as error:
        raise SearchUnavailable(f"Elasticsearch does not answer: {type(error).__name__}") from error
    except ApiError as error:
        if error.status_code == 400:
            raise
        reason = "it is another program" if isinstance(error, UnsupportedProductError) else error.status_code
        raise SearchUnavailable(f"Elasticsearch cannot answer: {reason}") from error


class ElasticsearchEngine:
    name = "elasticsearch"

    def __init__(self, alias: str = "cryptons-products") -> None:
        self.alias = alias
        self._page_circuit = CircuitBreaker(rest_seconds=3)
        self._index_circuit = CircuitBreaker(rest_seconds=15)
        """It rests longer after a failure than the pages' one, because workers have payments to settle."""
        # A connection's time-out is for each read: a server that drips would hold a page for ever.
        self._askers = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="search")

    @property
    def _client(self) -> Elasticsearch:
        """Return a client with long time-outs, for indexing."""
        client: Elasticsearch = connections.get_connection("default")
        return client

    def is_ready(self) -> bool:
        """Return whether the index exists. Raises SearchUnavailable."""
        if not self._index_circuit.allows():
            raise SearchUnavailable("Elasticsearch was away a moment ago.")
        probe = self._client.options(request_timeout=PROBE_SECONDS, max_retries=0)
        try:
            with _failures_as_unavailable():
                is_ready = bool(probe.indices.exists_alias(name=self.alias))
        except SearchUnavailable:
            self._index_circuit.record_failure()
            raise
        self._index_circuit.record_success()
        return is_ready

    def search(self, query: Query) -> Result:
        words = read_words(query.text)
        if query.text.strip() and not words:
            return Result((), 0, Facets(), self.name)
        if not self._page_circuit.allows():
            raise SearchUnavailable("Elasticsearch was away a moment ago.")
        asked = self._askers.submit(self._find, query, words)
        try:
            result = asked.result(PAGE_SECONDS)
        except (SearchUnavailable, TimeoutError) as error:
            asked.cancel()
            self._page_circuit.record_failure()
            raise SearchUnavailable(str(error) or "Elasticsearch is too slow.") from error
        self._page_circuit.record_success()
        return result

    def _find(self, query: Query, words: Sequence[str]) -> Result:
        """Find products that contain all words, or else those that contain some of them."""
        with _failures_as_unavailable():
            result = self._search(query, words, "must")
            return result if result.total or len(words) < 2 else self._search(query, words, "should")

    def _search(self, query: Query, words: Sequence[str], occur: str) -> Result:
        filters = _filters(query)
        beyond = query.offset + query.limit > MAX_WINDOW
        asked = ProductDocument.search(using="page", index=self.alias).update_from_dict(
            {
                "query": {"bool": {occur: [_word_query(word) for word in words]}} if words else {"match_all": {}},
                "post_filter": {"bool": {"filter": list(filters.values())}},
                "aggs": {facet: _count(wish, facet, filters) for facet, wish in facet_aggregations().items()},
                "sort": SORTED_BY.get(query.order, SORTED_BY["relevance"]),
                "from": 0 if beyond else query.offset,
                "size": 0 if beyond else query.limit,
                "track_total_hits": True,
                "_source": False,
            }
        )
        response = asked.params(allow_partial_search_results=False).execute().to_dict()
        ids = [UUID(hit["_id"]) for hit in response["hits"]["hits"]]
        facets = read_facets({facet: counted["by"]["buckets"] for facet, counted in response["aggregations"].items()})
        return Result(ids, response["hits"]["total"]["value"], facets, self.name)

    def write(self, entries: Iterable[Entry], gone: Iterable[UUID]) -> None:
        """Write entries. If two processes write one product, the newer row wins: its time is the document's version."""
        if not self.is_ready():
            raise SearchUnavailable("There is no index yet.")
        now = microseconds(timezone.now())
        deletions = ({"_op_type": "delete", "_id": str(pk), "version": now, "version_type": "external_gte"} for pk in gone)
        self._bulk([*_indexing(entries), *deletions], self.alias)

    def refresh(self) -> None:
        with _failures_as_unavailable():
            self._client.indices.refresh(index=self.alias)

    def rebuild(self, entries: Iterable[Entry]) -> int:
        """Replace the index by one of exactly these entries; the old one serves until then. Returns how many.

        Of several at once the first that is done wins: it takes away all other indexes, and the others find theirs gone (IndexBusy).
        """
        new, count = f"{self.alias}-{secrets.token_hex(6)}", 0
        filling = f"filling-{new}"
        with _failures_as_unavailable():
            indices = self._client.indices
            shape = ProductDocument._index.to_dict()
            indices.create(index=new, mappings=shape["mappings"], settings=shape["settings"], aliases={filling: {}})
            try:
                for batch in chunks(_indexing(entries), BULK):
                    self._bulk(batch, filling, refresh=False)
                    count += len(batch)
                indices.refresh(index=new)
                old = [name for name in indices.get(index=f"{self.alias}-*") if name != new]
                serve = {"add": {"index": new, "alias": self.alias}}, {"remove": {"index": new, "alias": filling}}
                indices.update_aliases(actions=[*serve, *({"remove_index": {"index": name}} for name in old)])
            except NotFoundError as error:
                raise IndexBusy("Another process built the index at the same time.") from error
            except BaseException:  # also Ctrl-C: what is half filled goes, and the error goes on
                indices.delete(index=new, ignore_unavailable=True)
                raise
        return count

    def _bulk(self, actions: Sequence[dict[str, Any]], alias: str, *, refresh: bool = True) -> None:
        """Check the answers to a bulk write. A newer version in the index, or a product that was removed before, is no error.

        To an alias that must be there: written to by a name that is gone, Elasticsearch would make an index of its own shape.
        """
        with _failures_as_unavailable():
            for done, answer in helpers.streaming_bulk(
                self._client,
                actions,
                index=alias,
                require_alias=True,
                chunk_size=BULK,
                max_retries=3,
                raise_on_error=False,
                refresh=refresh,
            ):
                ((_, result),) = answer.items()
                if result["status"] == 404 and "error" in result:
                    raise IndexBusy("Another process built the index at the same time.")
                if not done and result["status"] not in (404, 409):
                    raise SearchUnavailable(f"Elasticsearch did not take a product: {result['status']}")

    def count(self) -> int:
        with _failures_as_unavailable():
            return int(self._client.count(index=self.alias)["count"])

    def newest_change(self) -> datetime | None:
        """Return the latest `updated_at` in the index; later changes are not in it yet."""
        with _failures_as_unavailable():
            hits = self._client.search(index=self.alias, size=1, sort=[{"updated": "desc"}], source_includes=["updated"])["hits"]["hits"]
        return EPOCH + timedelta(microseconds=hits[0]["_source"]["updated"]) if hits else None

    def stamps(self) -> dict[UUID, int]:
        """Return when each indexed product was last changed, in microseconds since 1970."""
        with _failures_as_unavailable():
            hits = helpers.scan(self._client, index=self.alias, query={"query": {"match_all": {}}}, _source=["updated"], size=5000)
            return {UUID(hit["_id"]): hit["_source"]["updated"] for hit in hits}

    def stamps_of(self, ids: Iterable[UUID]) -> dict[UUID, int]:
        known: dict[UUID, int] = {}
        with _failures_as_unavailable():
            for batch in chunks(map(str, ids), BULK):
                documents = self._client.mget(index=self.alias, ids=batch, source_includes=["updated"])["docs"]
                known |= {UUID(row["_id"]): row["_source"]["updated"] for row in documents if row.get("found")}
        return known


def _indexing(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        source = source_of(entry)
        yield {"_op_type": "index", "_id": str(entry.id), "_source": source, "version": source["updated"], "version_type": "external_gte"}


def _word_query(word: str) -> dict[str, Any]:
    """Match the exact word, a word that begins with it, or a similar word, in any field; the best match counts."""
    slips = forgiven_slips(word)
    ways: list[dict[str, Any]] = []
    for field, (itself, beginning, alike) in BOOSTS.items():
        ways.append({"match": {field: {"query": word, "boost": itself}}})
        if beginning:
            ways.append({"prefix": {field: {"value": word, "boost": beginning}}})
        if alike and slips:
            ways.append({"fuzzy": {field: {"value": word, "fuzziness": slips, "boost": alike}}})
    if len(word) >= 5:
        ways.append({"fuzzy": {"name.begins": {"value": word[:12], "fuzziness": 1, "boost": BOOSTS["name"][2] // 2}}})
    return {"dis_max": {"queries": ways}}


def _filters(query: Query) -> dict[str, dict[str, Any]]:
    """Return the filters by the facet that is counted without them."""
    filters: dict[str, dict[str, Any]] = {}
    if query.category_ids is not None:
        filters["category"] = {"terms": {"category_id": sorted(str(category_id) for category_id in query.category_ids)}}
    price = {"gte": query.min_price_minor, "lte": query.max_price_minor}
    if bounds := {name: bounded(value) for name, value in price.items() if value is not None}:
        filters["price"] = {"range": {"price": bounds}}
    if query.min_rating is not None:
        filters["rating"] = {"range": {"rating": {"gte": min(hundredths(query.min_rating), 2**31 - 1)}}}
    if query.in_stock:
        filters["in_stock"] = {"term": {"in_stock": True}}
    return filters


def _count(wish: dict[str, Any], facet: str, filters: dict[str, dict[str, Any]]) -> dict[str, Any]:
    others = [part for name, part in filters.items() if name != facet]
    return {"filter": {"bool": {"filter": others}}, "aggs": {"by": wish}}
