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


def test_the_demo_has_departments_shelves_products_and_pictures(client):
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


def test_each_demo_picture_belongs_to_a_product_and_has_at_most_60_kb():
    assert {goods.picture for goods in GOODS} == set(PICTURES.iterdir())
    assert max(picture.stat().st_size for picture in PICTURES.iterdir()) <= 60_000


@pytest.mark.usefixtures("_plain_pictures")
def test_a_search_with_a_typing_error_finds_the_demo_kettle():
    load_demo()

    found = engine.search(Query(text="kettel"))

    assert Product.objects.get(pk=found.ids[0]).name == "Copper Kettle"


@pytest.mark.usefixtures("_plain_pictures")
def test_loading_the_demo_again_keeps_changes_and_adds_what_is_missing():
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
def test_the_demo_for_an_empty_shop_is_loaded_only_when_there_is_no_product():
    assert "are new" in load_demo(if_empty=True)
    Product.objects.filter(sku="KIT-BOWL").delete()

    assert load_demo(if_empty=True) == ""
    assert not Product.objects.filter(sku="KIT-BOWL").exists()


@pytest.mark.usefixtures("_plain_pictures")
def test_the_demo_loads_in_a_currency_without_decimals(settings):
    settings.CURRENCY = "JPY"
    load_demo()
    assert min(Product.objects.values_list("price_minor", flat=True)) > 0


@pytest.mark.usefixtures("_plain_pictures")
def test_a_larger_demo_has_exactly_the_requested_number_of_products():
    load_demo(products=120)
    load_demo(products=120)

    assert Product.objects.count() == 120
    assert not Product.objects.filter(images=None).exists()


def test_a_demo_with_fewer_products_than_the_smallest_one_is_refused():
    with pytest.raises(CommandError, match="--products must be 37 or more"):
        load_demo(products=3)


@pytest.mark.usefixtures("_plain_pictures")
def test_the_demo_is_loaded_while_the_search_engine_is_down(monkeypatch, capsys):
    def away(*args):
        raise SearchUnavailable("Elasticsearch does not answer: ConnectionError")

    monkeypatch.setattr(engine, "rebuild", away)

    assert "are new" in load_demo()
    assert "The database searches until the search engine is ready." in capsys.readouterr().err
    assert Product.objects.exists()
