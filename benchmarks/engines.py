"""Measure search queries on the configured search engine and on the configured database: `python -m benchmarks.engines [COUNT]`.

DATABASE_URL and ELASTICSEARCH_URL choose them; the database is filled, so let it be an empty one.
"""

import shutil
import statistics
import sys
import time

from benchmarks.shop_of import fill, prepare

ROUNDS = 7

QUESTIONS = {
    "all, page 1": {},
    "all, page 500": {"page": 500},
    "dearest, page 500": {"page": 500, "sort": "-price"},
    "facets, narrowed": {"min_price_minor": 2_500, "max_price_minor": 49_999, "in_stock": True},
    "copper kettle": {"text": "copper kettle"},
    "cop ketle (a slip)": {"text": "cop ketle"},
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    folder = prepare()
    started = time.perf_counter()
    try:
        fill(count)
        print(f"{count:,} products made and indexed in {time.perf_counter() - started:.0f} s", flush=True)
        measure()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lengthen_timeouts() -> None:
    """Raise Elasticsearch's time-outs to 30 s, because a page's limit of 0.4 s would cut slow measurements off."""
    from django.conf import settings
    from elasticsearch.dsl.connections import connections

    from shop.search import elasticsearch_engine

    elasticsearch_engine.PAGE_SECONDS = 30
    connections.configure(**settings.ELASTICSEARCH_DSL | {"page": {**settings.ELASTICSEARCH_DSL["page"], "request_timeout": 30}})


def measure() -> None:
    from django.db import connection

    from shop.catalogue.reads import find_products
    from shop.search import Query, engine
    from shop.search.database_engine import DatabaseEngine

    def median(act: object) -> float:
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            act()  # type: ignore[operator]
            times.append((time.perf_counter() - started) * 1000)
        return statistics.median(times)

    if engine.name == "elasticsearch":
        lengthen_timeouts()
    print(f"{'':20}{engine.name:>16}{'found':>10}{connection.vendor:>16}{'found':>10}{'with its rows':>16}")
    for name, wish in QUESTIONS.items():
        query = Query(**wish)  # type: ignore[arg-type]
        times, totals = [], []
        for searched in (engine, DatabaseEngine()):
            totals.append(searched.search(query).total)
            times.append(median(lambda searched=searched, query=query: searched.search(query)))
        whole = median(lambda wish=wish: find_products(Query(**wish)))
        print(f"{name:20}{times[0]:13.1f} ms{totals[0]:10,}{times[1]:13.1f} ms{totals[1]:10,}{whole:13.1f} ms", flush=True)


if __name__ == "__main__":
    main()
