"""A server that the shop stands on is killed while people buy."""

import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from tests.running import LONGEST, PATIENCE, Shop, data_of_a_first_start, in_time, wait_for
from tests.servers import Server, elasticsearch, mongodb, postgres, redis_server
from tests.stack.buying import choose_a_coin, hidden, order, staff_browser, stock_of, stock_product
from tests.stack.test_serve import family

CHECKOUTS = 100
VIEWS = 1000
STOCK = 500
MOST_SECONDS = 3
"""No page takes longer."""


@pytest.fixture
def start_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    started: list[Shop] = []

    def start(**settings: str) -> Shop:
        shop = Shop(tmp_path / "shop", "--no-demo", SANDBOX="true", **settings)
        shutil.copytree(data_of_a_first_start(), shop.data)
        started.append(shop)
        shop.start()
        return shop

    yield start
    for shop in started:
        shop.stop()


def kept_product(shop: Shop, product: str, cache: redis.Redis) -> bytes | None:
    """What Redis has of the product once a page was read, as JSON, for other programs that read it."""
    shop.get(f"/api/products/{product}", headers=shop.buyer())
    return cache.get(f"product:{product}")


def mails_about_orders(shop: Shop) -> int:
    return sum(b"We received your order" in file.read_bytes() for file in (shop.data / "mail").glob("*.eml"))


@dataclass
class OnDatabase:
    """A shop, and the database server of its own that it stands on."""

    shop: Shop
    start: Callable[..., Server]
    server: Server

    def restart(self) -> None:
        """Start the server after it was killed. A PostgreSQL whose processes are not all gone yet refuses to start."""
        deadline = time.monotonic() + LONGEST
        while True:
            try:
                self.server = self.start(self.server.folder, durable=True, port=port_of(self.server))
                return
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


@pytest.fixture(scope="module", params=[postgres, mongodb])
def on_database(request: pytest.FixtureRequest) -> Iterator[OnDatabase]:
    with tempfile.TemporaryDirectory(prefix="cryptons-server-", ignore_cleanup_errors=True) as folder:
        server = request.param(Path(folder) / "database", durable=True)
        shop = Shop(Path(folder) / "shop", "--no-demo", SANDBOX="true", **server.settings)
        shutil.copytree(data_of_a_first_start(), shop.data)
        shop.start()
        on_database = OnDatabase(shop, request.param, server)
        yield on_database
        shop.stop()
        on_database.server.stop()


def test_ready_pages_go_on_while_the_database_hangs_and_everything_else_is_told_so(on_database: OnDatabase):
    shop = on_database.shop
    product = stock_product(shop, stock=STOCK)
    ready = ("/", "/search", "/api/products", f"/p/{shop.get(f'/api/products/{product}')['slug']}/")
    promised = [order(shop, product).json()["data"]["id"] for _ in range(3)]
    chosen, guest = choose_a_coin(shop, product)

    with shop.without("worker"), ExitStack() as hang, ThreadPoolExecutor(30) as people:  # its sweep would renew the lists
        shopper = hang.enter_context(httpx.Client(base_url=shop.url, timeout=MOST_SECONDS * PATIENCE))
        for path in ready:
            assert shopper.get(path).status_code == 200
        hang.enter_context(hanging(on_database.server))
        probe = people.submit(shop.http.get, "/healthz")
        orders = [people.submit(order, shop, product) for _ in range(20)]  # more than there are threads
        checkout = people.submit(guest.post, "/checkout/payment/", data={**hidden(chosen), "network": "BTC"})
        for path in ready * 25:
            assert shopper.get(path).status_code == 200
        assert probe.result().status_code == 503
        refused = [each.result() for each in orders]
        page = checkout.result()
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refused} == {(503, "SERVICE_UNAVAILABLE")}
    assert page.status_code == 503
    assert "in a few seconds" in page.text  # in the busy page of the front as in that of a database out of reach

    wait_for("the shop to be back", lambda: shop.http.get("/healthz").status_code == 200)
    assert {shop.get(f"/api/orders/{each}", headers=shop.buyer())["status"] for each in promised} == {"pending"}
    assert order(shop, product).status_code == 201
    everything = orders_in_all(shop)
    wait_for("the stock to agree with the orders", lambda: stock_of(shop, product) == STOCK - everything)


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """All processes of the server stand still, and keep their connections open."""
    processes = list(family(server.pid))
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_every_confirmed_order_survives_a_crash_of_the_database(on_database: OnDatabase):
    shop = on_database.shop
    product = stock_product(shop, stock=STOCK)
    shop.buyer()
    before = orders_in_all(shop)

    with ThreadPoolExecutor(8) as buyers:
        asked = [buyers.submit(order, shop, product) for _ in range(CHECKOUTS)]
        wait_for("the first orders", lambda: sum(each.done() for each in asked) > CHECKOUTS // 4)
        on_database.server.kill()
        time.sleep(1)
        on_database.restart()
        answers = [each.result() for each in asked]

    wait_for("the shop to be back", lambda: shop.http.get("/healthz").status_code == 200)
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert all(answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE" for answer in answers if answer.status_code == 503)
    promised = [answer.json()["data"] for answer in answers if answer.status_code == 201]
    assert len(promised) > CHECKOUTS // 4
    for each in promised:
        kept = shop.get(f"/api/orders/{each['id']}", headers=shop.buyer())
        assert kept["status"] == "pending"
        assert shop.get(f"/api/invoices/{each['payment']['invoiceId']}")["address"] == each["payment"]["address"]
    everything = orders_in_all(shop) - before
    wait_for("the catalogue to be read again", lambda: stock_of(shop, product) == STOCK - everything, seconds=10)
    assert everything >= len(promised)


def orders_in_all(shop: Shop) -> int:
    return int(shop.http.get("/api/orders?all=true", headers=shop.staff()).json()["meta"]["total"])


def test_every_request_succeeds_while_redis_and_elasticsearch_are_killed(tmp_path: Path, start_shop: Callable[..., Shop]):
    servers = [redis_server(tmp_path / "redis"), elasticsearch(tmp_path / "elasticsearch")]
    shop = start_shop(**servers[0].settings, **servers[1].settings)
    product = stock_product(shop, stock=STOCK)
    slug = shop.get(f"/api/products/{product}")["slug"]
    shop.buyer()
    wait_for("the product to be in the index", lambda: finds(shop, "thing") == ("elasticsearch", 1))
    with redis.Redis.from_url(servers[0].settings["REDIS_URL"]) as cache:
        kept = json.loads(wait_for("the product in Redis", lambda: kept_product(shop, product, cache)))
        assert kept["product"]["slug"] == slug
        assert 3600 - 3 * LONGEST < cache.ttl(f"product:{product}") <= 3600

    def look(number: int) -> int:
        cookie = {"Cookie": f"sessionid=nobody{number}"} if number % 3 == 0 else {}
        paths = (
            "/",
            f"/p/{slug}/",
            "/search?q=thing",
            f"/search?q=thing{number}",
            f"/api/products/{product}",
            "/api/products?search=thing",
        )
        return shop.http.get(paths[number % len(paths)], headers=cookie).status_code

    with ThreadPoolExecutor(8) as people:
        views = [people.submit(look, number) for number in range(VIEWS)]
        orders = [people.submit(order, shop, product) for _ in range(CHECKOUTS)]
        wait_for("the first views", lambda: sum(each.done() for each in views) > VIEWS // 4)
        for server in servers:
            server.kill()
        seen = Counter(each.result() for each in views)
        bought = [each.result() for each in orders]
    assert seen == {200: VIEWS}
    assert Counter(answer.status_code for answer in bought) == {201: CHECKOUTS}
    assert finds(shop, "thing") == ("database", 1)
    late = stock_product(shop, stock=STOCK)
    assert finds(shop, "thing") == ("database", 2)

    servers = [start(server.folder, port=port_of(server)) for start, server in zip((redis_server, elasticsearch), servers, strict=True)]
    try:
        assert orders_in_all(shop) == CHECKOUTS
        wait_for("the mails", lambda: mails_about_orders(shop) == CHECKOUTS, seconds=120)
        invoice = bought[0].json()["data"]["payment"]["invoiceId"]
        assert shop.http.post("/api/sandbox/pay", json={"invoiceId": invoice, "play": "exact"}).status_code == 202
        wait_for("the worker to be back at work", lambda: shop.get(f"/api/invoices/{invoice}")["status"] != "new", seconds=60)
        wait_for("the index to catch up", lambda: finds(shop, "thing") == ("elasticsearch", 2), seconds=120)
        assert shop.http.delete(f"/api/products/{late}", headers=shop.staff()).status_code == 204
        wait_for("the index to forget", lambda: finds(shop, "thing") == ("elasticsearch", 1))
    finally:
        for server in servers:
            server.stop()


def test_the_database_answers_searches_while_elasticsearch_hangs(tmp_path: Path, start_shop: Callable[..., Shop]):
    server = elasticsearch(tmp_path / "elasticsearch")
    shop = start_shop(**server.settings)
    stock_product(shop, stock=STOCK)
    wait_for("the product to be in the index", lambda: finds(shop, "thing") == ("elasticsearch", 1))

    os.kill(server.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(40) as people:
        answers = list(people.map(lambda _: finds(shop, "thing"), range(VIEWS // 5)))
    os.kill(server.pid, signal.SIGCONT)

    assert Counter(answers) == {("database", 1): VIEWS // 5}
    wait_for("the engine to be asked again", lambda: finds(shop, "thing") == ("elasticsearch", 1))
    server.stop()


def test_no_page_waits_for_a_redis_that_hangs(tmp_path: Path, start_shop: Callable[..., Shop]):
    server = redis_server(tmp_path / "redis")
    shop = start_shop(**server.settings)
    product = stock_product(shop, stock=STOCK)
    shop.buyer()
    staff = staff_browser(shop)
    invoices = []

    def buy() -> httpx.Response:
        answer = order(shop, product)
        invoices.append(answer.json()["data"]["payment"]["invoiceId"])
        return answer

    acts: dict[str, Callable[[], httpx.Response]] = {
        "health for staff": lambda: shop.http.get("/healthz", headers=shop.staff()),
        "health in full": lambda: shop.http.get("/api/admin/health", headers=shop.staff()),
        "home": lambda: shop.http.get("/"),
        "cart": lambda: staff.get("/cart/"),
        "product": lambda: shop.http.get(f"/api/products/{product}"),
        "admin": lambda: staff.get("/admin/"),
        "nodes": lambda: staff.get("/admin/payments/cursor/nodes/"),
        "order": buy,
        "pay page": lambda: shop.http.get(f"/pay/{invoices[-1]}/"),
    }
    assert {name: act().status_code for name, act in acts.items()} == dict.fromkeys(acts, 200) | {"order": 201}

    os.kill(server.pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            for name, act in acts.items():
                answer = in_time(name, act, seconds=MOST_SECONDS)
                assert answer.status_code in (200, 201), answer.text
            time.sleep(2.5)  # by then it is asked again
    finally:
        os.kill(server.pid, signal.SIGCONT)

    assert shop.http.post("/api/sandbox/pay", json={"invoiceId": invoices[-1], "play": "exact"}).status_code == 202
    wait_for("the worker to be back at work", lambda: shop.get(f"/api/invoices/{invoices[-1]}")["status"] != "new", seconds=90)
    server.stop()


def finds(shop: Shop, text: str) -> tuple[str, int]:
    """Who searched, and how many it found; the answer is not one that was kept ready."""
    meta = shop.http.get("/api/products", params={"search": text, "maxPrice": 10**6 + time.monotonic_ns() % 10**6}).json()["meta"]
    return meta["searchEngine"], meta["total"]


def port_of(server: Server) -> int | None:
    return urlsplit(next(iter(server.settings.values()))).port
