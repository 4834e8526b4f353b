"""The demo shop."""

import io

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from shop.demo.goods import DEPARTMENTS, PICTURES
from shop.demo.loading import GOODS
from shop.models import Category, Product, ProductImage
from shop.search import engine
from shop.search.base import Query, SearchUnavailable

pytestmark = pytest.mark.django_db


def load_demo(**options):
    out = io.StringIO()
    call_command("load_demo", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def _plain_pictures(monkeypatch):
    """Making WebP of the real ones takes seconds."""
    monkeypatch.setattr("shop.demo.loading.read_upload", lambda file: Image.new("RGB", (8, 8)))


def test_the_demo_fills_departments_shelves_and_pictures(client):
    load_demo()

    assert Product.objects.count() >= 24
    assert Category.objects.filter(parent=None).count() >= 5
    assert all(Category.objects.filter(parent__name=department).count() == len(shelves) for department, shelves in DEPARTMENTS.items())
    assert not Product.objects.filter(images=None).exists()
    assert not ProductImage.objects.filter(alt="").exists()
    assert Product.objects.filter(stock__gte=100).count() >= 3
    assert Product.objects.filter(stock__range=(1, 5)).exists()
    with Image.open(ProductImage.objects.first().file) as picture:
        assert picture.size == (800, 800)


def test_each_product_has_a_picture_of_at_most_60_kb_and_no_picture_is_left_over():
    assert {goods.picture for goods in GOODS} == set(PICTURES.iterdir())
    assert max(picture.stat().st_size for picture in PICTURES.iterdir()) <= 60_000


@pytest.mark.usefixtures("_plain_pictures")
def test_the_kettle_is_found_though_it_is_mistyped():
    load_demo()

    found = engine.search(Query(text="kettel"))

    assert Product.objects.get(pk=found.ids[0]).name == "Copper Kettle"


@pytest.mark.usefixtures("_plain_pictures")
def test_loading_again_leaves_what_staff_changed_and_makes_whole_what_is_missing():
    load_demo()
    Product.objects.filter(sku="KIT-MUG").update(price_minor=1, name="Our Mug")
    Product.objects.filter(sku="KIT-BOWL").delete()
    ProductImage.objects.filter(product=Product.objects.get(sku="KIT-POT")).delete()
    count = Product.objects.count()

    said = load_demo()

    assert "1 demo products are new" in said
    assert Product.objects.count() == count + 1
    assert Product.objects.get(sku="KIT-MUG").name == "Our Mug"
    assert ProductImage.objects.filter(product__sku="KIT-POT").count() == 1


@pytest.mark.usefixtures("_plain_pictures")
def test_a_larger_shop_has_exactly_as_many_products_as_were_asked_for():
    load_demo(products=120)
    load_demo(products=120)

    assert Product.objects.count() == 120
    assert not Product.objects.filter(images=None).exists()


def test_fewer_than_the_demo_has_is_refused():
    with pytest.raises(CommandError, match="--products must be 37 or more"):
        load_demo(products=3)


@pytest.mark.usefixtures("_plain_pictures")
def test_a_search_engine_that_is_away_does_not_keep_the_demo_out(monkeypatch, capsys):
    def away(*args):
        raise SearchUnavailable("Elasticsearch does not answer: ConnectionError")

    monkeypatch.setattr(engine, "rebuild", away)

    assert "are new" in load_demo()
    assert "The database searches until the search engine is ready." in capsys.readouterr().err
    assert Product.objects.exists()
