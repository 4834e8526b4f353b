"""After random changes no reader gets an old answer (D79 in docs/decisions.md)."""

import random
from collections.abc import Iterable

import orjson
import pytest

from cryptons.db import in_transaction
from shop.catalogue import tasks
from shop.catalogue.changes import availability, category_changed, product_changed, sweep_search
from shop.catalogue.tests.stale_readers import Queue, Reader, queue, save, sell  # noqa: F401 (a fixture)
from shop.models import Category, Product
from shop.search import engine
from shop.search.base import IndexBusy, SearchUnavailable
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


class Life:
    """A shop to which random things happen, in which tasks run early, late or never, while visitors read."""

    def __init__(self, seed: int, queue: Queue, monkeypatch) -> None:
        self.chance, self.queue, self.monkeypatch = random.Random(seed), queue, monkeypatch
        self.categories = [CategoryFactory(name="Kitchen", slug="kitchen"), CategoryFactory(name="Garden", slug="garden")]
        self.readers = [Reader(monkeypatch), Reader(monkeypatch)]
        self.serial = 0
        for _ in range(4):
            self.create()

    def product(self) -> Product:
        return self.chance.choice(list(Product.objects.order_by("sku")) or [self.create()])

    def create(self) -> Product:
        self.serial += 1
        text, category = f"thing-{self.serial}", self.chance.choice(self.categories)
        stock = self.chance.randint(0, 8)
        product: Product = ProductFactory.build(name=f"Thing {self.serial}", slug=text, sku=text, category=category, stock=stock)
        save(product)
        return product

    def change(self) -> None:
        product = self.product()
        act = self.chance.choice(["name", "price", "listing", "delete", "category", "create", "sale", "sale", "return"])
        if act == "name":
            save(product, name=f"{product.name.split()[0]} {self.chance.choice(['kettle', 'teapot'])}")
        elif act == "price":
            save(product, price_minor=self.chance.choice([500, 50_000]))
        elif act == "listing":
            save(product, is_listed=not product.is_listed)
        elif act == "create":
            self.create()
        elif act == "delete":
            in_transaction(lambda: (product_changed([product.pk]), product.delete()))
        elif act == "category":
            self.rename(self.chance.choice(self.categories))
        elif act == "return":
            sell(product, -self.chance.randint(1, 7))
        elif product.stock:
            sell(product, self.chance.randint(1, product.stock))

    def rename(self, category: Category) -> None:
        category.name = f"{category.slug} {self.chance.randint(1, 9)}"
        in_transaction(lambda: (category.save(), category_changed(category)))

    def follow(self) -> None:
        """Do something of what makes the index follow, or let it fail."""
        act = self.chance.choice(["run", "lose", "busy", "killed", "sweep", "later", "later"])
        if act == "sweep":
            sweep_search()
        elif act == "lose":
            self.queue.waiting.clear()
        elif act == "run":
            self.queue.run()
        elif act in ("busy", "killed"):
            with self.monkeypatch.context() as patch:
                if act == "killed":
                    patch.setattr(tasks, "lists_changed", lambda: None)
                else:
                    patch.setattr(engine, "write", self._fail)
                self.queue.run()

    def _fail(self, *args, **options) -> None:
        raise self.chance.choice([IndexBusy, SearchUnavailable])("not now")

    def paths(self) -> list[str]:
        lists = "inStock=true", "maxPrice=10", "sort=newest", "search=teapot", "search=kitchen", "category=garden&sort=-price"
        pages = "/", "/c/kitchen/", "/search?sort=price", "/search?in_stock=on", "/search/suggest?q=kett", "/api/categories"
        one = [path for pk, slug in Product.objects.values_list("pk", "slug") for path in (f"/p/{slug}/", f"/api/products/{pk}")]
        return [*pages, *(f"/api/products?{query}" for query in lists), *one]

    def read(self, paths: Iterable[str] = ()) -> None:
        for path in paths or [self.chance.choice(self.paths())]:
            for reader in self.readers:
                reader.get(path, is_later=self.chance.random() < 0.7)


def as_shown(response) -> tuple[int, object]:
    """Return what a reader sees. The number in stock in a list may be older while there is enough, as the API's document says."""
    if response.headers["Content-Type"] != "application/json":
        return response.status_code, response.content
    body = orjson.loads(response.content)
    for row in body["data"] if isinstance(body.get("data"), list) else []:
        if "stock" in row:
            row["stock"] = availability(row["stock"])
    return response.status_code, body


@pytest.mark.parametrize(("seed", "is_shared_file"), [(0, True), (1, False)])
def test_after_random_changes_no_reader_gets_an_old_answer(build_index, queue, monkeypatch, settings, seed, is_shared_file):
    settings.VERSIONS_FILE = settings.DATA_DIR / "versions" if is_shared_file else None
    settings.RATE_LIMIT_API = "10000/minute"
    life = Life(seed, queue, monkeypatch)
    build_index()
    for _ in range(25):
        life.chance.choice([life.change, life.follow, life.read])()
    life.read(life.paths())
    for _ in range(4):
        life.change()
    life.read(life.chance.sample(life.paths(), 12))  # while the index lags

    queue.waiting.clear()
    sweep_search()

    newcomer = Reader(monkeypatch)
    for path in life.paths():
        expected = as_shown(newcomer.get(path))
        assert [as_shown(reader.get(path)) for reader in life.readers] == [expected] * 2, path
