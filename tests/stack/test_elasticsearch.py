"""The search by a real Elasticsearch."""

import os
import subprocess
import sys

from tests.running import ROOT
from tests.servers import elasticsearch, running

LISTS = "shop/catalogue/tests/test_stale_lists.py"
SUITE = (
    "shop/search/tests/test_search.py",
    "shop/search/tests/test_indexing.py",
    f"{LISTS}::test_a_new_product_that_was_listed_too_early_is_listed_when_the_index_has_it",
    f"{LISTS}::test_a_product_that_is_sold_out_leaves_the_list_of_what_is_in_stock",
    f"{LISTS}::test_lists_are_renewed_by_the_sweep_when_a_task_was_killed_after_it_had_indexed",
)


def test_elasticsearch_passes_the_tests_of_the_built_in_search():
    """The tests of the search, with this engine in its place; those of the search by the database alone have no use for it."""
    with running(elasticsearch) as server:
        environment = {**os.environ, "STACK_ELASTICSEARCH_URL": server.settings["ELASTICSEARCH_URL"]}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not database or the_database", *SUITE]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout[-6000:]
    assert "skipped" not in done.stdout
    passed = int(done.stdout.split(" passed")[0].split()[-1])
    print(f"{passed} tests of the search passed on Elasticsearch")
    assert passed > 60
