"""The cart in the browser: with and without scripts, and from nowhere but our own pages."""

import re
import uuid

import pytest
from django.test import Client

from shop.cart.contents import SESSION_KEY
from shop.models import CartItem, Product
from shop.tests.factories import CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db

OURS = {"Sec-Fetch-Site": "same-origin"}
WEIRD = ["0", "-1", "1.5", "1000000000000", "true", "", "\x00", "😀", "‮", "{'$ne': None}", "1e3", "9" * 400]


def add(client, product, quantity=1, **headers):
    return client.post("/cart/add/", {"product": product.pk, "quantity": quantity}, headers=headers or OURS)


def update(client, item, quantity="", follow=True, headers=None, **more):
    return client.post("/cart/", {f"quantity-{item.pk}": quantity, **more}, follow=follow, headers=headers)


def test_adding_a_product_gives_a_new_visitor_a_cart(client):
    kettle = ProductFactory()

    response = add(client, kettle, 2)

    assert (response.status_code, response["Location"]) == (302, "/cart/?new")
    page = client.get(response["Location"]).text
    assert "Copper Kettle is in your cart." in page
    assert "$99.98" in page


def test_adding_to_the_cart_needs_no_csrf_token():
    client = Client(enforce_csrf_checks=True)
    assert add(client, ProductFactory()).status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://testserver"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Referer": "http://testserver/p/copper-kettle/"},
    ],
)
def test_requests_from_the_shops_own_pages_can_add_to_the_cart(client, headers):
    assert add(client, ProductFactory(), **headers).status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Origin": "https://testserver"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Referer": "http://evil.example/?http://testserver/"},
        {"Accept": "text/html"},
    ],
)
def test_requests_from_other_sites_or_without_an_origin_cannot_add_to_the_cart(client, headers):
    response = add(client, ProductFactory(), **headers)
    assert response.status_code == 403
    assert not CartItem.objects.exists()


def test_only_a_post_request_adds_to_the_cart(client):
    assert client.get("/cart/add/", headers=OURS).status_code == 405


def test_adding_more_than_the_stock_says_how_many_are_left(client):
    kettle = ProductFactory(stock=3)
    add(client, kettle, 2)
    response = client.post("/cart/add/", {"product": kettle.pk, "quantity": 2}, headers=OURS, follow=True)
    assert "Only 3 of Copper Kettle are left; your cart has 2 already." in response.text
    assert CartItem.objects.get().quantity == 2


@pytest.mark.parametrize("quantity", WEIRD)
def test_adding_an_invalid_quantity_shows_an_error(client, quantity):
    response = client.post("/cart/add/", {"product": ProductFactory().pk, "quantity": quantity}, headers=OURS)
    assert response.status_code == 400
    assert "alert--danger" in response.text
    assert not CartItem.objects.exists()


@pytest.mark.parametrize("product", ["", "nonsense", "\x00", "😀", "{'$ne': None}", "00000000-0000-7000-8000-000000000000"])
def test_adding_an_unknown_product_is_not_found(client, product):
    assert client.post("/cart/add/", {"product": product, "quantity": 1}, headers=OURS).status_code == 404


def test_adding_with_htmx_returns_a_fragment(client):
    response = add(client, ProductFactory(), 1, **OURS, **{"HX-Request": "true"})
    assert response.status_code == 200
    assert "<html" not in response.text
    assert "Copper Kettle is in your cart." in response.text


def test_the_quantity_of_a_line_can_be_changed(client, item):
    assert "$149.97" in update(client, item, quantity=3).text


def test_a_removed_line_can_be_added_back(client, item):
    page = update(client, item, remove=item.pk).text
    assert "Copper Kettle was removed." in page
    assert "Your cart is empty." in page
    assert f'name="product" value="{item.product_id}"' in page
    assert 'name="quantity" value="2"' in page
    assert "was removed" not in client.get("/cart/").text

    add(client, item.product, 2)

    assert CartItem.objects.get().quantity == 2


def test_changing_the_quantity_to_zero_removes_the_line(client, item):
    assert "Copper Kettle was removed." in update(client, item, quantity=0).text


@pytest.mark.parametrize("quantity", [quantity for quantity in WEIRD if quantity != "0"])
def test_changing_to_an_invalid_quantity_shows_an_error(client, item, quantity):
    response = update(client, item, quantity=quantity)
    assert response.status_code == 400
    assert re.search(rf'aria-invalid="true"\s+aria-describedby="note-quantity-{item.pk}"', response.text)
    assert re.search(rf'class="field__error" id="note-quantity-{item.pk}">\w', response.text)
    item.refresh_from_db()
    assert item.quantity == 2


def test_changing_to_more_than_the_stock_says_at_the_box_how_many_are_left(client, item):
    page = update(client, item, quantity=11).text
    assert f'id="note-quantity-{item.pk}">Only 10 of Copper Kettle are left. Your cart still has 2.<' in page
    assert f'name="quantity-{item.pk}" value="11"' in page
    assert "$99.98" in page


def test_a_line_that_holds_all_that_is_left_says_so_at_its_box(client, item):
    assert "Only 10 left" not in client.get("/cart/").text
    assert f'class="field__hint" id="note-quantity-{item.pk}">Only 10 left<' in update(client, item, quantity=10).text


def test_checking_out_orders_the_quantity_in_the_box(client, item):
    assert update(client, item, quantity=3, checkout=1, follow=False)["Location"] == "/checkout/"
    assert "3 × Copper Kettle" in client.get("/checkout/").text


def test_checking_out_with_a_refused_quantity_stays_in_the_cart_and_saves_the_other_lines(client, item):
    other = CartItemFactory(cart=item.cart, product=ProductFactory(name="Tea Tin", price_minor=1_000))

    page = update(client, item, quantity=11, checkout=1, **{f"quantity-{other.pk}": 4})

    assert page.status_code == 400
    assert "Only 10 of Copper Kettle are left." in page.text
    assert CartItem.objects.get(pk=other.pk).quantity == 4
    assert CartItem.objects.get(pk=item.pk).quantity == 2


def test_removing_a_line_twice_shows_no_error(client, item):
    for _ in range(2):
        page = update(client, item, quantity=2, remove=item.pk)
    assert page.status_code == 200
    assert "no longer in your cart" not in page.text


def test_a_browser_without_cookies_is_told_why_the_cart_stays_empty(client):
    address = add(client, ProductFactory())["Location"]
    client.cookies.clear()
    assert "Your browser does not keep cookies of this shop" in client.get(address).text


def test_a_browser_with_cookies_is_not_told_about_them(client):
    assert "does not keep cookies" not in client.get(add(client, ProductFactory())["Location"]).text
    assert add(client, ProductFactory())["Location"] == "/cart/"


def test_a_line_in_another_cart_cannot_be_changed(client, item):
    theirs = CartItemFactory(quantity=5)
    assert "This line is no longer in your cart." in update(client, theirs, quantity=1).text
    theirs.refresh_from_db()
    assert theirs.quantity == 5


def test_changing_the_cart_needs_a_csrf_token(item):
    assert update(Client(enforce_csrf_checks=True), item, quantity=1).status_code == 403


def test_changing_the_cart_with_htmx_returns_only_the_cart(client, item):
    response = update(client, item, quantity=3, headers={"HX-Request": "true"})
    assert response.text.strip().startswith('<div id="cart"')
    assert "$149.97" in response.text
    assert "csrfmiddlewaretoken" in response.text
    assert "<noscript>" not in response.text, "htmx would show what is in it"
    assert re.search(r'id="cart-count" hx-swap-oob="true">3<', response.text)
    announced = response.text.partition('id="cart-announcement" hx-swap-oob="innerHTML">')[2]
    assert "Your cart has 3 items. Total: $149.97." in announced


def test_a_refused_quantity_is_announced(client, item):
    response = update(client, item, quantity=11, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert "Only 10 of Copper Kettle are left." in response.text.partition('id="cart-announcement"')[2]


def test_a_line_that_exceeds_the_stock_blocks_the_checkout(client, item):
    Product.objects.update(stock=1)
    page = client.get("/cart/").text
    assert "Only 1 of Copper Kettle is left. Please lower the quantity to 1." in page
    assert "/checkout/" not in page
    assert client.get("/checkout/")["Location"] == "/cart/"


def test_a_deleted_product_is_shown_in_the_cart_and_can_be_removed(client, item):
    Product.objects.all().delete()
    assert "Copper Kettle is no longer sold. Please remove it." in client.get("/cart/").text
    assert "Your cart is empty." in update(client, item, remove=item.pk).text


def test_an_empty_cart_page_says_that_the_cart_is_empty(client):
    assert "Your cart is empty." in client.get("/cart/").text


def test_the_page_header_shows_the_number_of_items_in_the_cart(client, item):
    assert re.search(r'id="cart-count"(?! hidden)[^>]*>2<', client.get("/cart/").text)


def test_an_unknown_cart_id_in_the_session_is_an_empty_cart(client):
    session = client.session
    session[SESSION_KEY] = str(uuid.uuid4())
    session.save()
    assert "Your cart is empty." in client.get("/cart/").text
    assert add(client, ProductFactory()).status_code == 302
    assert CartItem.objects.count() == 1


def test_the_name_of_a_product_in_the_cart_is_escaped(client):
    add(client, ProductFactory(name="<script>alert(1)</script>"))
    assert "<script>alert" not in client.get("/cart/").text


def test_a_long_cart_needs_as_few_queries_as_a_short_one(client, item, django_assert_max_num_queries):
    CartItemFactory.create_batch(20, cart=item.cart)
    client.get("/cart/")
    with django_assert_max_num_queries(6):
        client.get("/cart/")
