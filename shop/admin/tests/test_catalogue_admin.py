import io
import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from shop.catalogue.changes import sweep_search
from shop.catalogue.version import catalogue_version
from shop.models import Category, Product, ProductImage
from shop.search import Query, search
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser(username="staff", email="staff@example.com", password="x"))
    return client


@pytest.fixture
def queued(monkeypatch):
    ids = []
    monkeypatch.setattr("shop.catalogue.changes.enqueue", lambda task, some: ids.extend(some))
    return ids


def picture(color="red") -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), color).save(file, "PNG")
    file.name = "picture.png"
    file.seek(0)
    return file


def fields(product=None, category=None, images=0, **changes):
    """What the page sends when nothing was changed but `changes`."""
    values = {
        "name": product.name if product else "Copper Kettle",
        "slug": product.slug if product else "copper-kettle",
        "sku": product.sku if product else "KET-01",
        "category": (product.category if product else category).pk,
        "price": "49.99",
        "stock": product.stock if product else 10,
        "initial-stock": product.stock if product else 0,
        "is_listed": "on",
        "description": product.description if product else "",
        "images-TOTAL_FORMS": images,
        "images-INITIAL_FORMS": 0,
        "images-MIN_NUM_FORMS": 0,
        "images-MAX_NUM_FORMS": 1000,
    }
    return {**values, **changes}


def page(product=None) -> str:
    return reverse("admin:shop_product_change", args=[product.pk]) if product else reverse("admin:shop_product_add")


def test_a_price_is_entered_as_a_decimal_and_stored_in_minor_units(staff, queued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = staff.post(page(), fields(category=CategoryFactory()))

    assert response.status_code == 302, response.context["errors"]
    product = Product.objects.get()
    assert (product.price_minor, product.stock) == (4_999, 10)
    assert queued == [str(product.pk)]
    assert b'value="49.99"' in staff.get(page(product)).content


@pytest.mark.parametrize(("typed", "minor"), [("12,50", 1_250), (" 12,5 ", 1_250), ("0,99", 99)])
def test_a_decimal_comma_in_a_price_is_understood(staff, typed, minor):
    assert staff.post(page(), fields(category=CategoryFactory(), price=typed)).status_code == 302
    assert Product.objects.get().price_minor == minor


@pytest.mark.parametrize(
    ("name", "slug"), [("青茶", "青茶"), ("Чайник медный", "чайник-медный"), ("Copper Kettle", "copper-kettle"), ("!!!", "product")]
)
def test_a_slug_is_made_from_a_name_in_any_script_and_opens_its_page(staff, client, name, slug):
    assert staff.post(page(), fields(category=CategoryFactory(), name=name, slug="")).status_code == 302

    product = Product.objects.get()
    assert product.slug == slug
    assert client.get(product.get_absolute_url()).status_code == 200


def test_a_slug_that_is_left_empty_stays_what_it_was_and_never_becomes_another_ones(staff):
    first = ProductFactory(name="青茶", slug="青茶")

    assert staff.post(page(first), fields(first, slug="", name="緑茶")).status_code == 302
    assert staff.post(page(), fields(category=first.category, name="青茶", slug="")).status_code == 302

    slugs = sorted(Product.objects.values_list("slug", flat=True))
    assert slugs[0] == "青茶"
    assert slugs[1].startswith("青茶-")


def test_a_category_needs_no_slug_of_ones_own(staff):
    values = {"name": "お茶", "slug": "", "parent": "", "position": 0}
    assert staff.post(reverse("admin:shop_category_add"), values).status_code == 302
    assert Category.objects.get().slug == "お茶"


@pytest.mark.parametrize("price", ["", "-1", "0", "0.001", "abc", "NaN", "1e30", "1,250", "1,250.00", "1.250,00", "1,2,5"])
def test_an_invalid_price_is_refused(staff, price):
    assert staff.post(page(), fields(category=CategoryFactory(), price=price)).status_code == 200
    assert not Product.objects.exists()


def test_a_stock_change_keeps_what_was_sold_while_the_form_was_open(staff):
    product = ProductFactory(stock=10)
    sent = fields(product, stock=15, name="New name")
    Product.objects.update(stock=7)

    staff.post(page(product), sent)

    product.refresh_from_db()
    assert (product.stock, product.name) == (12, "New name")


def test_saving_a_new_name_does_not_change_the_stock(staff):
    product = ProductFactory(stock=10)
    sent = fields(product, name="New name")
    Product.objects.update(stock=7)

    staff.post(page(product), sent)

    product.refresh_from_db()
    assert (product.stock, product.name) == (7, "New name")


def test_stock_never_falls_below_zero(staff):
    product = ProductFactory(stock=10)
    sent = fields(product, stock=2)
    Product.objects.update(stock=5)

    response = staff.post(page(product), sent, follow=True)

    product.refresh_from_db()
    assert product.stock == 5
    assert "more was sold in the meantime" in response.content.decode()


def test_pictures_are_uploaded_with_the_product_and_shown_as_thumbnails(staff):
    product = ProductFactory()
    sent = fields(
        product, images=2, **{"images-0-upload": picture(), "images-0-alt": "Front", "images-0-position": 0, "images-0-product": product.pk}
    )
    sent |= {"images-1-upload": picture("blue"), "images-1-alt": "Back", "images-1-position": 3, "images-1-product": product.pk}

    response = staff.post(page(product), sent)

    assert response.status_code == 302, response.context["errors"]
    front, back = ProductImage.objects.order_by("position")
    assert (front.alt, front.width, front.height, back.alt, back.position) == ("Front", 60, 40, "Back", 3)
    assert front.small_url in staff.get(page(product)).content.decode()
    assert front.small_url in staff.get(reverse("admin:shop_product_changelist")).content.decode()


def test_each_field_of_a_picture_has_a_name_for_screen_readers(staff):
    product = ProductFactory()
    ProductImage.objects.create(product=product, file="a.webp", alt="Front", width=1, height=1)
    text = staff.get(page(product)).content.decode()
    for field, name in (("0-alt", "Alternative text"), ("0-position", "Position"), ("0-DELETE", "Delete"), ("1-upload", "Picture")):
        tag = re.search(rf'<input[^>]*name="images-{field}"[^>]*>', text)[0]
        assert f'aria-label="{name}"' in tag


def test_the_text_of_a_picture_can_be_changed_and_the_picture_deleted(staff):
    product = ProductFactory()
    image = ProductImage.objects.create(product=product, file="a.webp", alt="Old", width=1, height=1)
    same = {"images-INITIAL_FORMS": 1, "images-0-id": image.pk, "images-0-product": product.pk, "images-0-position": 0}

    staff.post(page(product), fields(product, images=1, **same, **{"images-0-alt": "New"}))
    image.refresh_from_db()
    assert (image.alt, image.file.name) == ("New", "a.webp")

    staff.post(page(product), fields(product, images=1, **same, **{"images-0-alt": "New", "images-0-DELETE": "on"}))
    assert not ProductImage.objects.exists()


@pytest.mark.parametrize("content", [b"", b"<svg onload=x>", b"GIF89a" + b"\0" * 50])
def test_a_file_that_is_not_a_picture_is_refused(staff, content):
    product, file = ProductFactory(), io.BytesIO(content)
    file.name = "picture.png"

    response = staff.post(
        page(product), fields(product, images=1, **{"images-0-upload": file, "images-0-position": 0, "images-0-alt": "x"})
    )

    assert response.status_code == 200
    assert not ProductImage.objects.exists()


def test_products_can_be_unlisted_and_listed_again(staff, queued, django_capture_on_commit_callbacks):
    product, version = ProductFactory(), catalogue_version()

    def act(name):
        with django_capture_on_commit_callbacks(execute=True):
            staff.post(reverse("admin:shop_product_changelist"), {"action": name, "_selected_action": [product.pk]})
        product.refresh_from_db()
        return product.is_listed

    assert act("unlist_products") is False
    assert catalogue_version() != version
    assert act("list_products") is True
    assert queued == [str(product.pk)] * 2


def test_deleting_a_product_removes_it_from_the_search(staff, queued, django_capture_on_commit_callbacks):
    product, other = ProductFactory(), ProductFactory()
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(reverse("admin:shop_product_delete", args=[product.pk]), {"post": "yes"})
        staff.post(reverse("admin:shop_product_changelist"), {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})

    assert not Product.objects.exists()
    assert queued == [str(product.pk), str(other.pk)]


def test_a_category_cannot_be_below_itself(staff):
    above = CategoryFactory()
    below = CategoryFactory(parent=above)
    sent = {"name": above.name, "slug": above.slug, "position": 0, "parent": below.pk}

    response = staff.post(reverse("admin:shop_category_change", args=[above.pk]), sent)

    assert b"cannot be below itself" in response.content
    assert Category.objects.get(pk=above.pk).parent_id is None


def test_renaming_a_category_makes_its_products_found_by_the_new_name(staff, build_index):
    above = CategoryFactory(name="Kitchen", slug="kitchen")
    product = ProductFactory(category=CategoryFactory(parent=above))
    build_index()

    staff.post(reverse("admin:shop_category_change", args=[above.pk]), {"name": "Scullery", "slug": "kitchen", "position": 0, "parent": ""})
    sweep_search()

    assert search(Query(text="scullery")).ids == [product.pk]


@pytest.mark.parametrize("model", ["product", "category"])
def test_a_long_admin_list_needs_as_many_queries_as_a_short_one(staff, model):
    def queries() -> int:
        with CaptureQueriesContext(connection) as counted:
            assert staff.get(reverse(f"admin:shop_{model}_changelist")).status_code == 200
        return len(counted)

    ProductFactory.create_batch(2)
    queries()  # the first page of a session also counts what is in the cart, for a cookie
    few = queries()
    ProductFactory.create_batch(20)

    assert queries() == few


@pytest.mark.parametrize("left", ["none", "low", "some", "odd"])
def test_products_can_be_filtered_by_stock(staff, left):
    for stock in (0, 3, 50):
        ProductFactory(stock=stock, name=f"Stock {stock}")

    shown = staff.get(reverse("admin:shop_product_changelist"), {"left": left}).content.decode()

    wanted = {"none": [0], "low": [3], "some": [50]}.get(left, [0, 3, 50])
    assert [stock for stock in (0, 3, 50) if f"Stock {stock}" in shown] == wanted


def test_a_product_can_be_found_by_sku_in_the_admin(staff):
    ProductFactory(sku="KET-77", name="Wanted")
    ProductFactory(name="Other")

    shown = staff.get(reverse("admin:shop_product_changelist"), {"q": "KET-77"}).content.decode()

    assert "Wanted" in shown
    assert "Other" not in shown


@pytest.mark.django_db(transaction=True)
def test_an_admin_form_that_fails_half_way_changes_nothing(staff, monkeypatch):
    product = ProductFactory(name="Copper Kettle")

    def break_down(*_, **__):
        raise RuntimeError("half way")

    monkeypatch.setattr("django.contrib.admin.models.LogEntryManager.log_actions", break_down)
    with pytest.raises(RuntimeError, match="half way"):
        staff.post(page(product), fields(product, name="Another Name"))
    with pytest.raises(RuntimeError, match="half way"):
        staff.post(reverse("admin:shop_product_delete", args=[product.pk]), {"post": "yes"})

    assert Product.objects.get().name == "Copper Kettle"


def test_the_picker_of_categories_has_them_in_the_order_of_the_shop(staff):
    for position, name in ((2, "Tables"), (1, "Lamps")):
        CategoryFactory(name=name, position=position)
    query = {"app_label": "shop", "model_name": "product", "field_name": "category", "term": ""}
    assert [found["text"] for found in staff.get("/admin/autocomplete/", query).json()["results"]] == ["Lamps", "Tables"]
