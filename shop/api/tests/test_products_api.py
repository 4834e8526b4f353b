"""Products and categories over the API."""

import io
import json
from decimal import Decimal
from functools import partial

import pytest
from django.contrib.auth.models import Permission
from django.test.client import MULTIPART_CONTENT
from PIL import Image

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from shop.api import products
from shop.catalogue.changes import rebuild_search
from shop.models import Category, Product, ProductImage
from shop.tests.factories import NOW, CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db

NOBODYS_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def api():
    return ApiClient()


@pytest.fixture
def staff():
    return ApiClient(StaffFactory())


def picture(product, position):
    return ProductImage.objects.create(product=product, file="a.webp", width=1, height=1, position=position)


def new(within, **more):
    return {"name": "Copper Kettle", "sku": "KET-1", "price": "49.99", "category": str(within.pk), "stock": 3, **more}


def names(answer):
    return [row["name"] for row in answer.json()["data"]]


def test_a_product_has_the_documented_fields(api):
    product = ProductFactory(price_minor=6_500, rating_average=Decimal("4.5"), rating_count=2)
    data = api.get(f"/api/products/{product.pk}").json()["data"]
    assert data["price"] == "65.00"
    assert data["priceInCrypto"] == {"BTC": "0.00100000", "LTC": "0.81250000", "XRP": "118.181819"}
    assert data["category"] == {"id": str(product.category.pk), "name": product.category.name, "slug": product.category.slug}
    assert data["ratings"] == {"average": "4.50", "count": 2}
    assert {"id", "name", "slug", "description", "stock", "images", "sku", "createdAt", "updatedAt"} <= set(data)


@pytest.mark.parametrize("product_id", ["invalid-id", "0", "%00", "a" * 300, "{}", NOBODYS_ID, "😀"])
def test_an_unknown_or_malformed_product_id_is_not_found(api, product_id):
    answer = api.get(f"/api/products/{product_id}")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] in ("Product not found", "There is nothing at this address.")


def test_a_malformed_id_is_answered_as_an_unknown_product(api):
    assert api.get("/api/products/invalid-id").json()["error"] == {"code": "NOT_FOUND", "message": "Product not found", "details": []}


def test_an_unlisted_product_is_not_found(api):
    assert api.get(f"/api/products/{ProductFactory(is_listed=False).pk}").status_code == 404


def test_a_list_of_products_has_metadata_and_shorter_rows(api):
    ProductFactory.create_batch(3, description="long")
    rebuild_search()
    body = api.get("/api/products?limit=2").json()
    assert (body["meta"]["page"], body["meta"]["limit"], body["meta"]["total"]) == (1, 2, 3)
    assert body["meta"]["searchEngine"] in ("tantivy", "database")
    assert {"categories", "prices", "ratings", "inStock"} == set(body["meta"]["facets"])
    assert body["meta"]["facets"]["inStock"] == 3
    assert len(body["data"]) == 2
    assert "description" not in body["data"][0]


def test_a_long_list_of_products_needs_as_many_queries_as_a_short_one(api, django_assert_max_num_queries):
    category = CategoryFactory()
    for count in (5, 45):
        for product in ProductFactory.create_batch(count, category=category):
            ProductImage.objects.create(product=product, file="a.webp", width=1, height=1)
        rebuild_search()
        with django_assert_max_num_queries(6):
            assert len(api.get(f"/api/products?limit={count + 1}").json()["data"]) >= count


def test_products_can_be_filtered_and_sorted(api):
    kitchen, desk = CategoryFactory(slug="kitchen"), CategoryFactory(slug="desk")
    pots = CategoryFactory(slug="pots", parent=kitchen)
    ProductFactory(name="Pot", category=pots, price_minor=1_000, rating_average=Decimal(5))
    ProductFactory(name="Pan", category=kitchen, price_minor=2_000, stock=0)
    ProductFactory(name="Lamp", category=desk, price_minor=3_000)
    rebuild_search()
    assert sorted(names(api.get("/api/products?category=kitchen"))) == ["Pan", "Pot"]
    assert names(api.get("/api/products?minPrice=15&maxPrice=25.00")) == ["Pan"]
    assert sorted(names(api.get("/api/products?inStock=true"))) == ["Lamp", "Pot"]
    assert names(api.get("/api/products?minRating=4")) == ["Pot"]
    assert names(api.get("/api/products?sort=price")) == ["Pot", "Pan", "Lamp"]
    assert names(api.get("/api/products?sort=-price")) == ["Lamp", "Pan", "Pot"]
    assert names(api.get("/api/products?search=lmap")) == ["Lamp"]


@pytest.mark.parametrize(
    "query",
    [
        "minPrice=abc",
        "minPrice=1e999",
        "minPrice=NaN",
        "maxPrice=1.999",
        "minRating=6",
        "minRating=x",
        "inStock=perhaps",
        "sort=random",
        "category=nowhere",
        "page=0",
        "page=-1",
        "page=1.5",
        "page=1000000000000",
        "page=%C2%B2",
        "limit=0",
        "limit=101",
        "limit=x",
    ],
)
def test_the_error_names_an_invalid_filter(api, query):
    answer = api.get(f"/api/products?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("text", ["%00", "%F0%9F%98%80", "%ED%A0%80", '"unbalanced AND (', "a" * 5000, "مرحبا", "*", "-", "name:x", "\\"])
def test_a_search_accepts_any_text(api, text):
    ProductFactory()
    rebuild_search()
    assert api.get("/api/products", {"search": text}).status_code == 200
    assert api.get("/api/products/suggest", {"q": text}).status_code == 200


def test_staff_can_create_change_and_delete_products(staff, api):
    category = CategoryFactory()
    made = staff.post("/api/products", new(category))
    assert made.status_code == 201
    product_id = made.json()["data"]["id"]
    assert made.json()["data"]["slug"] == "copper-kettle"
    patched = staff.patch(f"/api/products/{product_id}", {"price": "39.50"}, content_type="application/json")
    assert (patched.status_code, patched.json()["data"]["price"], patched.json()["data"]["stock"]) == (200, "39.50", 3)
    put = staff.put(f"/api/products/{product_id}", new(category, name="Kettle"), content_type="application/json")
    assert (put.json()["data"]["name"], put.json()["data"]["slug"]) == ("Kettle", "copper-kettle")
    assert staff.delete(f"/api/products/{product_id}").status_code == 204
    assert api.get(f"/api/products/{product_id}").status_code == 404


def test_what_a_replacement_leaves_out_becomes_what_a_new_one_has(staff):
    category = CategoryFactory()
    product = ProductFactory(slug="kettle", description="Boils water.", stock=10, is_listed=False)
    body = {"name": "Kettle", "sku": "KET-1", "price": "49.99", "category": str(category.pk)}

    data = staff.put(f"/api/products/{product.pk}", body, content_type="application/json").json()["data"]

    assert (data["description"], data["stock"], data["isListed"], data["slug"]) == ("", 0, True, "kettle")
    child = CategoryFactory(slug="pots", parent=category, position=3)
    replaced = staff.put(f"/api/categories/{child.pk}", {"name": "Pots"}, content_type="application/json").json()["data"]
    assert replaced == {"id": str(child.pk), "name": "Pots", "slug": "pots", "parent": None, "position": 0}


@pytest.mark.django_db(transaction=True)
def test_two_products_cannot_have_the_same_sku(staff):
    category = CategoryFactory()
    staff.post("/api/products", new(category))
    answer = staff.post("/api/products", new(category, name="Other"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert answer.json()["error"]["details"][0]["field"] == "sku"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "0"),
        ("price", "-1"),
        ("price", "1.999"),
        ("price", 1.5),
        ("price", "1e99"),
        ("price", {"$gt": 0}),
        ("price", True),
        ("stock", -1),
        ("stock", 1.5),
        ("stock", "3"),
        ("stock", True),
        ("stock", 10**12),
        ("name", {"$ne": None}),
        ("name", ""),
        ("name", "a\x00"),
        ("category", NOBODYS_ID),
        ("category", "x"),
        ("category", {"$ne": None}),
        ("slug", "no slug"),
        ("colour", "red"),
    ],
)
def test_invalid_product_values_are_refused(staff, field, value):
    answer = staff.post("/api/products", new(CategoryFactory(), **{field: value}))
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, field)
    assert not Product.objects.exists()


WRITES = [("POST", "/api/products"), ("POST", "/api/categories")] + [
    (method, f"/api/{kind}/{NOBODYS_ID}") for kind in ("products", "categories") for method in ("PUT", "DELETE")
]


@pytest.mark.parametrize(
    ("method", "path"), [*WRITES, ("PATCH", f"/api/products/{NOBODYS_ID}"), ("POST", f"/api/products/{NOBODYS_ID}/images")]
)
def test_writing_a_product_needs_permission(api, method, path):
    assert api.generic(method, path, b"{}").status_code == 401
    assert ApiClient(UserFactory()).generic(method, path, b"{}").status_code == 403
    without_permission = UserFactory(is_staff=True)
    assert ApiClient(without_permission).generic(method, path, b"{}").status_code == 403


def test_adding_changing_and_deleting_in_the_catalogue_each_need_their_own_right():
    """`products:write` once meant "may change products" for all of these, categories and pictures too."""
    category, product = CategoryFactory(), ProductFactory()
    asked = {
        "add_product": ("POST", "/api/products", new(category)),
        "change_product": ("PATCH", f"/api/products/{product.pk}", {"name": "Kettle"}),
        "add_productimage": ("POST", f"/api/products/{product.pk}/images", {}),
        "change_productimage": ("PUT", f"/api/products/{product.pk}/images/order", {}),
        "delete_productimage": ("DELETE", f"/api/products/{product.pk}/images/{picture(product, 0).pk}", {}),
        "delete_product": ("DELETE", f"/api/products/{product.pk}", {}),
        "add_category": ("POST", "/api/categories", {"name": "Pots"}),
        "change_category": ("PUT", f"/api/categories/{category.pk}", {"name": "Pans"}),
        "delete_category": ("DELETE", f"/api/categories/{CategoryFactory().pk}", {}),
    }
    for right in asked:
        person = UserFactory(is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename=right))
        client = ApiClient(person)
        allowed = {
            other for other, (method, path, body) in asked.items() if client.generic(method, path, json.dumps(body)).status_code != 403
        }
        assert allowed == {right}


def test_rights_without_staff_open_nothing_in_the_api():
    """A person keeps their rights when `is_staff` is taken away."""
    former, superuser = UserFactory(), UserFactory(is_superuser=True)
    former.user_permissions.add(*Permission.objects.filter(codename__in=["add_product", "view_order"]))
    for client in (ApiClient(former), ApiClient(superuser)):
        assert client.post("/api/products", new(CategoryFactory())).status_code == 403
        assert client.get("/api/orders?all=true").status_code == 403


def test_categories_are_listed_as_a_tree(api, staff):
    root = staff.post("/api/categories", {"name": "Kitchen"}).json()["data"]
    child = staff.post("/api/categories", {"name": "Kettles", "parent": root["id"]}).json()["data"]
    tree = api.get("/api/categories").json()["data"]
    assert [branch["slug"] for branch in tree] == ["kitchen"]
    assert [branch["slug"] for branch in tree[0]["children"]] == ["kettles"]
    loop = staff.put(f"/api/categories/{root['id']}", {"name": "Kitchen", "parent": child["id"]}, content_type="application/json")
    assert (loop.status_code, loop.json()["error"]["details"][0]["field"]) == (400, "parent")


def test_a_category_in_use_cannot_be_deleted(staff):
    product = ProductFactory()
    assert staff.delete(f"/api/categories/{product.category.pk}").status_code == 409
    empty = CategoryFactory()
    assert staff.delete(f"/api/categories/{empty.pk}").status_code == 204
    assert not Category.objects.filter(pk=empty.pk).exists()


def test_staff_can_upload_a_picture(staff):
    product = ProductFactory()
    file = io.BytesIO()
    Image.new("RGB", (800, 600), "red").save(file, "PNG")
    file.seek(0)
    file.name = "kettle.png"
    answer = staff.post(f"/api/products/{product.pk}/images", {"image": file, "alt": "A kettle"}, content_type=MULTIPART_CONTENT)
    assert answer.status_code == 201
    assert (answer.json()["data"]["width"], answer.json()["data"]["alt"]) == (800, "A kettle")


def test_staff_put_pictures_in_order_and_delete_them(staff):
    product, other = ProductFactory(), ProductFactory()
    first, second, third = (picture(product, position) for position in range(3))
    path = f"/api/products/{product.pk}/images"
    reorder = partial(staff.put, f"{path}/order", content_type="application/json")

    assert reorder({"images": [str(third.pk), str(first.pk), str(second.pk)]}).status_code == 200
    for wrong in ([str(first.pk)], [str(first.pk)] * 3, [str(pk) for pk in (first.pk, second.pk, third.pk, picture(other, 0).pk)]):
        assert reorder({"images": wrong}).json()["error"]["details"][0]["field"] == "images"
    assert staff.delete(f"{path}/{first.pk}").status_code == 204
    assert staff.delete(f"{path}/{first.pk}").status_code == 404
    assert staff.delete(f"/api/products/{other.pk}/images/{second.pk}").status_code == 404
    shown = staff.get(f"/api/products/{product.pk}").json()["data"]["images"]
    assert [row["id"] for row in shown] == [str(third.pk), str(second.pk)]


def test_a_change_of_the_pictures_is_a_change_of_the_product(staff):
    """Else who asks for what changed since yesterday keeps the old pictures."""
    product = ProductFactory()
    first, second = picture(product, 0), picture(product, 1)
    path = f"/api/products/{product.pk}/images"
    file = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(file, "PNG")
    file.seek(0)
    file.name = "kettle.png"

    def is_changed(act):
        Product.objects.update(updated_at=NOW)
        assert act().status_code in (200, 201, 204)
        return Product.objects.get().updated_at != NOW

    assert is_changed(partial(staff.put, f"{path}/order", {"images": [str(second.pk), str(first.pk)]}, content_type="application/json"))
    assert is_changed(partial(staff.delete, f"{path}/{first.pk}"))
    assert is_changed(partial(staff.post, path, {"image": file}, content_type=MULTIPART_CONTENT))


def test_an_upload_that_is_repeated_with_its_key_makes_one_picture(staff):
    product = ProductFactory()

    def upload(colour):
        file = io.BytesIO()
        Image.new("RGB", (80, 60), colour).save(file, "PNG")
        file.seek(0)
        file.name = "kettle.png"
        path, headers = f"/api/products/{product.pk}/images", {"Idempotency-Key": "1"}
        return staff.post(path, {"image": file, "alt": "A kettle"}, content_type=MULTIPART_CONTENT, headers=headers)

    first, again = upload("red"), upload("red")
    assert (again.status_code, again.json()) == (201, first.json())
    assert first.json()["data"]["url"].startswith("http://127.0.0.1:8000/media/products/")
    assert first.json()["data"]["thumbnail"].startswith("http://127.0.0.1:8000/media/products/")
    assert upload("blue").status_code == 422
    assert ProductImage.objects.count() == 1


def test_a_product_and_a_cart_line_are_made_once_for_a_key(staff):
    headers = {"Idempotency-Key": "1"}
    body = {"name": "Pan", "sku": "PAN", "price": "1.00", "category": str(CategoryFactory().pk), "stock": 5}
    product = staff.post("/api/products", body, headers=headers).json()["data"]
    assert staff.post("/api/products", body, headers=headers).json()["data"] == product
    for _ in range(2):
        cart = staff.post("/api/cart/items", {"productId": product["id"]}, headers={"Idempotency-Key": "2"}).json()["data"]
    assert cart["items"][0]["quantity"] == 1


def test_a_file_that_is_not_an_image_is_refused(staff):
    file = io.BytesIO(b"<?php echo 1;")
    file.name = "kettle.png"
    answer = staff.post(f"/api/products/{ProductFactory().pk}/images", {"image": file}, content_type=MULTIPART_CONTENT)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "image")
    assert not ProductImage.objects.exists()


def test_reading_a_product_again_needs_no_query_and_gets_a_304(api, django_assert_num_queries):
    product = ProductFactory()
    rebuild_search()
    for path in ("/api/products?limit=5", f"/api/products/{product.pk}", "/api/categories"):
        first = api.get(path)
        with django_assert_num_queries(0):
            again = api.get(path)
        assert again.content == first.content
        assert "public" in again["Cache-Control"]
        assert api.get(path, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304


def test_a_change_of_a_product_is_visible_at_once(api, staff, django_capture_on_commit_callbacks):
    product = ProductFactory()
    path = f"/api/products/{product.pk}"
    api.get(path)
    with django_capture_on_commit_callbacks(execute=True):
        staff.patch(path, {"name": "New name"}, content_type="application/json")
    assert api.get(path).json()["data"]["name"] == "New name"


def test_a_product_that_is_deleted_while_it_is_changed_is_not_found(staff, monkeypatch):
    product = ProductFactory()
    save = products._save

    def delete_first(changed, only):
        Product.objects.filter(pk=changed.pk).delete()
        save(changed, only)

    monkeypatch.setattr(products, "_save", delete_first)
    assert staff.patch(f"/api/products/{product.pk}", {"stock": 3}, content_type="application/json").status_code == 404
