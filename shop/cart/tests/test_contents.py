"""What goes into a cart, and what is said when it cannot."""

import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from shop.cart.contents import GUEST_CART_KEPT, MAX_LINES, add_to_cart, forget_old_carts, read_cart, set_quantity
from shop.errors import CartFull, NotSold, OutOfStock
from shop.models import Cart, CartItem, Product
from shop.tests.factories import CartFactory, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db


def test_adding_a_product_again_adds_to_its_quantity():
    cart, kettle = CartFactory(), ProductFactory()

    add_to_cart(cart, kettle, 2)
    item = add_to_cart(cart, kettle, 3)

    assert CartItem.objects.get() == item
    assert item.quantity == 5


def test_adding_more_than_the_stock_is_refused_naming_how_many_are_left():
    with pytest.raises(OutOfStock, match=r"^Only 3 of Copper Kettle are left\.$"):
        add_to_cart(CartFactory(), ProductFactory(stock=3), 4)
    assert not CartItem.objects.exists()


def test_refusing_a_quantity_names_how_many_the_cart_has_already():
    item = CartItemFactory(product__stock=3, quantity=2)

    with pytest.raises(OutOfStock, match=r"^Only 3 of Copper Kettle are left; your cart has 2 already\.$"):
        add_to_cart(item.cart, item.product, 2)

    item.refresh_from_db()
    assert item.quantity == 2


def test_the_error_uses_the_singular_when_one_piece_is_left():
    with pytest.raises(OutOfStock, match=r"^Only 1 of Copper Kettle is left\.$"):
        add_to_cart(CartFactory(), ProductFactory(stock=1), 2)


def test_adding_a_sold_out_product_is_refused_as_sold_out():
    with pytest.raises(OutOfStock, match=r"^Copper Kettle is sold out\.$"):
        add_to_cart(CartFactory(), ProductFactory(stock=0), 1)


def test_an_unlisted_product_cannot_be_added():
    with pytest.raises(NotSold):
        add_to_cart(CartFactory(), ProductFactory(is_listed=False), 1)


def test_a_cart_with_the_maximum_number_of_lines_takes_no_other_product():
    cart = CartFactory()
    CartItemFactory.create_batch(MAX_LINES, cart=cart)
    with pytest.raises(CartFull):
        add_to_cart(cart, ProductFactory(), 1)


def test_the_quantity_of_a_line_in_a_full_cart_can_grow():
    cart = CartFactory()
    item = CartItemFactory.create_batch(MAX_LINES, cart=cart)[0]
    assert add_to_cart(cart, item.product, 1).quantity == 2


def test_setting_the_quantity_to_zero_removes_the_line():
    item = CartItemFactory()
    set_quantity(item, 0)
    assert not CartItem.objects.exists()


def test_setting_more_than_the_stock_leaves_the_line_unchanged():
    item = CartItemFactory(product__stock=3, quantity=2)

    with pytest.raises(OutOfStock, match=r"^Only 3 of Copper Kettle are left\.$"):
        set_quantity(item, 4)

    item.refresh_from_db()
    assert item.quantity == 2


def test_a_cart_is_read_with_the_current_prices():
    item = CartItemFactory(quantity=3)
    Product.objects.update(price_minor=1_000)

    contents = read_cart(item.cart)

    assert (contents.total_minor, contents.count, contents.can_be_ordered) == (3_000, 3, True)


def test_an_empty_cart_cannot_be_ordered():
    contents = read_cart(None)
    assert (contents.lines, contents.total_minor, contents.can_be_ordered) == ((), 0, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stock": 1}, "Only 1 of Copper Kettle is left. Please lower the quantity to 1."),
        ({"stock": 0}, "Copper Kettle is sold out. Please remove it, or keep it and come back later."),
        ({"is_listed": False}, "Copper Kettle is no longer sold. Please remove it."),
    ],
)
def test_a_line_that_exceeds_the_stock_says_what_to_do(change, words):
    item = CartItemFactory(quantity=2)
    Product.objects.update(**change)

    contents = read_cart(item.cart)

    assert contents.problems == (words,)
    assert not contents.can_be_ordered


def test_a_line_of_a_deleted_product_keeps_its_name():
    item = CartItemFactory()
    Product.objects.all().delete()

    contents = read_cart(item.cart)

    assert contents.problems == ("Copper Kettle is no longer sold. Please remove it.",)
    assert contents.total_minor == 0


def test_a_total_above_the_maximum_of_an_order_blocks_the_cart():
    item = CartItemFactory(product__price_minor=10**14, product__stock=1_000, quantity=11)

    contents = read_cart(item.cart)

    assert contents.problems == ("An order can have a total of at most $10,000,000,000,000.00. Please lower a quantity.",)
    assert not contents.can_be_ordered


def test_old_carts_of_guests_are_deleted():
    old, fresh = timezone.now() - GUEST_CART_KEPT, CartFactory()
    CartItemFactory(cart__updated_at=old)
    users = CartFactory(user=UserFactory(), updated_at=old)

    assert forget_old_carts(at=timezone.now()) == 1

    assert set(Cart.objects.all()) == {fresh, users}


def test_reading_a_cart_of_any_size_needs_two_queries(django_assert_num_queries):
    cart = CartFactory()
    CartItemFactory.create_batch(5, cart=cart)
    with django_assert_num_queries(2):
        contents = read_cart(cart)
        assert contents.problems == ()
        assert contents.agreed
