"""The demo catalogue goes with its pictures; what staff changed or what was ordered stays, and the command says so."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

from shop.demo.loading import GOODS
from shop.models import Category, OrderLine, Product, ProductImage
from shop.tests.factories import ProductFactory
from shop.tests.paying import placed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pictures(settings, tmp_path, monkeypatch):
    """Plain ones, which are quicker to store."""
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr("shop.demo.loading.read_upload", lambda file: Image.new("RGB", (8, 8)))


@pytest.fixture
def demo(pictures):
    call_command("load_demo", stdout=StringIO())


def remove():
    out = StringIO()
    call_command("remove_demo", stdout=out)
    return out.getvalue()


def files(settings):
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_an_untouched_demo_goes_with_its_pictures_and_categories(demo, settings):
    assert len(files(settings)) == 2 * Product.objects.count()

    assert f"Demo products removed: {len(ProductImage.objects.all())}." in remove()

    assert not Product.objects.exists()
    assert not Category.objects.exists()
    assert files(settings) == []


def test_products_of_the_merchant_stay(demo, settings):
    own = ProductFactory(sku="OWN-THING", category=Category.objects.get(name="Coffee & Tea"))
    remove()
    assert list(Product.objects.all()) == [own]
    assert sorted(Category.objects.values_list("name", flat=True)) == ["Coffee & Tea", "Kitchen"]


@pytest.mark.parametrize("change", [{"name": "Our Mug"}, {"price_minor": 1}, {"stock": 1}, {"is_listed": False}, {"description": ""}])
def test_what_staff_changed_stays(demo, change):
    Product.objects.filter(sku="KIT-MUG").update(**change)
    said = remove()
    assert Product.objects.get().sku == "KIT-MUG"
    assert "Kept, because staff changed them (1): " in said
    assert Product.objects.get().images.count() == 1


def test_a_product_that_was_saved_by_staff_or_has_another_picture_stays(demo):
    Product.objects.filter(sku="KIT-MUG").update(updated_at=timezone.now() + timedelta(hours=1))
    ProductImage.objects.filter(product=Product.objects.get(sku="KIT-KETTLE")).update(alt="Our own picture")
    remove()
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["KIT-KETTLE", "KIT-MUG"]


def test_what_was_ordered_stays(demo):
    mug = Product.objects.get(sku="KIT-MUG")
    placed(product=mug, quantity=1)

    said = remove()

    assert list(Product.objects.all()) == [mug]
    assert "Kept, because they were ordered or rated (1): Stoneware Mug." in said
    assert OrderLine.objects.get().product == mug


def test_variants_share_the_pictures_of_what_they_are_made_of(pictures, settings):
    call_command("load_demo", products=len(GOODS) + 3, stdout=StringIO())
    variant = Product.objects.get(sku="KIT-KETTLE-V0")
    Product.objects.filter(pk=variant.pk).update(price_minor=1)

    remove()

    assert list(Product.objects.all()) == [variant]
    assert len(files(settings)) == 2


def test_the_admin_asks_before_it_removes_the_demo(demo, admin_client):
    assert "/admin/shop/product/demo/" in admin_client.get("/admin/shop/product/").text
    page = admin_client.get("/admin/shop/product/demo/").text
    assert "This cannot be undone." in page
    assert Product.objects.exists()

    answer = admin_client.post("/admin/shop/product/demo/", follow=True)

    assert "demo products were removed." in answer.text
    assert not Product.objects.exists()
    assert "There is no demo product that can be removed." in admin_client.get("/admin/shop/product/demo/").text
    assert "/admin/shop/product/demo/" not in admin_client.get("/admin/shop/product/").text


def test_who_may_not_delete_products_may_not_remove_the_demo(demo, client, django_user_model):
    clerk = django_user_model.objects.create_user("clerk", "clerk@example.com", "x", is_staff=True)
    client.force_login(clerk)
    assert client.post("/admin/shop/product/demo/").status_code == 403
    assert Product.objects.exists()
