"""Measure the public pages, compared with an empty view: `python -m benchmarks.catalogue [COUNT]`."""

import shutil
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.shop_of import fill, prepare

ROUNDS = 40

PAGES = {
    "home": "/",
    "list page": "/search",
    "list page 500": "/search?page=500",
    "category page": "/c/department-0/",
    "search page": "/search?q=copper+ketle",
    "product page": "/p/product-77/",
    "API list": "/api/products",
    "API search": "/api/products?search=copper+ketle",
}


def milliseconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    folder = prepare()
    try:
        print(f"Making {count:,} products …", flush=True)
        fill(count)
        measure()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure() -> None:
    from django.conf import settings
    from django.test import Client

    from cryptons.response_cache import forget_all

    settings.ROOT_URLCONF = "benchmarks.urls"
    newcomer = Client(SERVER_NAME="localhost")

    def get(path: str) -> None:
        status = newcomer.get(path).status_code
        if status != 200:
            raise SystemExit(f"{path} answers {status}")

    print(f"{'':16}{'rendered':>12}{'ready':>10}{'bare view':>11}   ratios")
    for name, path in PAGES.items():
        get(path)
        made, ready, bare = [], [], []
        for _ in range(ROUNDS):
            forget_all()
            made.append(milliseconds(partial(get, path)))
            ready.append(milliseconds(partial(get, path)))
            bare.append(milliseconds(partial(get, "/bare")))
        m, r, b = (statistics.median(times) for times in (made, ready, bare))
        print(f"{name:16}{m:9.2f} ms{r:7.2f} ms{b:8.2f} ms   {m / b:5.1f} × and {r / b:4.2f} ×", flush=True)


if __name__ == "__main__":
    main()
