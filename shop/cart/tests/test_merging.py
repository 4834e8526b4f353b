"""A guest with a full cart logs in."""

import pytest

from accounts.tests.factories import PASSWORD, UserFactory
from shop.cart.contents import SESSION_KEY, cart_of
from shop.cart.merging import merge_carts
from shop.models import Cart, CartItem
from shop.tests.factories import CartFactory, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db


def quantities(user):
    return dict(CartItem.objects.filter(cart__user=user).values_list("product__sku", "quantity"))


def test_merging_moves_lines_and_adds_up_quantities():
    user, kettle, cup = UserFactory(), ProductFactory(sku="KETTLE"), ProductFactory(sku="CUP")
    guest = CartFactory()
    CartItemFactory(cart=guest, product=kettle, quantity=2)
    CartItemFactory(cart=guest, product=cup, quantity=1)
    CartItemFactory(cart=cart_of(user), product=kettle, quantity=3)

    assert merge_carts(guest, user) == []

    assert quantities(user) == {"KETTLE": 5, "CUP": 1}
    assert not Cart.objects.filter(user=None).exists()


def test_merging_limits_a_quantity_to_the_stock_and_says_so():
    user, kettle = UserFactory(), ProductFactory(sku="KETTLE", stock=4)
    guest = CartItemFactory(product=kettle, quantity=3).cart
    CartItemFactory(cart=cart_of(user), product=kettle, quantity=3)

    assert merge_carts(guest, user) == ["Only 4 of Copper Kettle are left. Your cart has all of them now."]

    assert quantities(user) == {"KETTLE": 4}


def test_merging_reports_a_line_that_cannot_be_added():
    user, kettle = UserFactory(), ProductFactory(sku="KETTLE", stock=3)
    guest = CartItemFactory(product=kettle, quantity=1).cart
    CartItemFactory(cart=cart_of(user), product=kettle, quantity=3)

    assert merge_carts(guest, user) == ["Only 3 of Copper Kettle are left; your cart has 3 already."]

    assert quantities(user) == {"KETTLE": 3}


@pytest.mark.parametrize(
    ("change", "words"),
    [({"stock": 0}, "Copper Kettle is sold out."), ({"is_listed": False}, "Copper Kettle is no longer sold and was left out.")],
)
def test_merging_leaves_out_products_that_cannot_be_bought(change, words):
    user = UserFactory()
    guest = CartItemFactory(product=ProductFactory(**change)).cart
    assert merge_carts(guest, user) == [words]
    assert quantities(user) == {}


def test_merging_a_cart_twice_adds_its_lines_once():
    user = UserFactory()
    guest = CartItemFactory(product__sku="KETTLE", quantity=2).cart
    merge_carts(guest, user)

    assert merge_carts(guest, user) == []

    assert quantities(user) == {"KETTLE": 2}


def test_logging_in_merges_the_cart_of_the_guest(client):
    user, kettle = UserFactory(), ProductFactory(sku="KETTLE", stock=2)
    CartItemFactory(cart=cart_of(user), product=kettle, quantity=1)
    client.post("/cart/add/", {"product": kettle.pk, "quantity": 2}, headers={"Sec-Fetch-Site": "same-origin"})
    assert SESSION_KEY in client.session

    response = client.post("/account/login/", {"name": user.email, "password": PASSWORD}, follow=True)

    assert quantities(user) == {"KETTLE": 2}
    assert SESSION_KEY not in client.session
    assert "Only 2 of Copper Kettle are left. Your cart has all of them now." in response.text


def test_the_next_guest_after_a_logout_has_an_empty_cart(client):
    user = UserFactory()
    CartItemFactory(cart=cart_of(user))
    client.post("/account/login/", {"name": user.email, "password": PASSWORD})

    client.post("/account/logout/")

    assert "Your cart is empty." in client.get("/cart/").text
