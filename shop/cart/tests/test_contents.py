"""What goes into a cart, and what is said when it cannot."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.tests.factories import UserFactory
from shop.cart.contents import MAX_LINES, add_to_cart, forget_old_carts, read_cart, set_quantity
from shop.errors import CartFull, NotSold, OutOfStock
from shop.models import MAX_QUANTITY, Cart, CartItem, Product
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
    with pytest.raises(NotSold, match=r"^Copper Kettle is no longer sold\.$"):
        add_to_cart(CartFactory(), ProductFactory(is_listed=False), 1)
    assert not CartItem.objects.exists()


def test_a_cart_with_the_maximum_number_of_lines_takes_no_other_product():
    cart = CartFactory()
    CartItemFactory.create_batch(MAX_LINES, cart=cart)
    with pytest.raises(CartFull, match=r"^A cart holds up to 100 different products\. Please order these first\.$"):
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
    old, fresh = timezone.now() - timedelta(days=30), CartFactory()
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


# --- Lines and their limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stock", "most"), [(-1, 0), (0, 0), (1, 1), (10**6, 10**6), (10**6 + 1, 10**6)])
def test_a_line_can_have_as_many_pieces_as_are_left_and_at_most_the_maximum(stock, most):
    assert MAX_QUANTITY == 10**6
    item = CartItemFactory(product__stock=stock)
    assert read_cart(item.cart).lines[0].most == most


def test_nothing_of_a_product_that_is_no_longer_sold_can_be_ordered():
    item = CartItemFactory(product__is_listed=False)
    line = read_cart(item.cart).lines[0]
    assert (line.is_sold, line.most, line.price_minor, line.total_minor) == (False, 0, 0, 0)


def test_a_line_has_the_current_name_of_its_product():
    item = CartItemFactory()
    Product.objects.update(name="Steel Kettle")
    assert read_cart(item.cart).lines[0].name == "Steel Kettle"


def test_all_pieces_that_are_left_can_be_ordered():
    item = CartItemFactory(product__stock=3, quantity=3)
    assert read_cart(item.cart).can_be_ordered


def test_the_total_of_a_cart_is_the_sum_of_its_lines():
    item = CartItemFactory(product__price_minor=1_000, quantity=2)
    CartItemFactory(cart=item.cart, product__price_minor=300, quantity=3)
    contents = read_cart(item.cart)
    assert (contents.total_minor, contents.count) == (2_900, 5)


def test_the_maximum_total_of_an_order_can_be_ordered():
    item = CartItemFactory(product__price_minor=10**15, quantity=1)
    assert read_cart(item.cart).can_be_ordered
    Product.objects.update(price_minor=10**15 + 1)
    assert not read_cart(item.cart).can_be_ordered


def test_a_cart_with_two_problems_names_both():
    item = CartItemFactory(product__stock=0)
    CartItemFactory(cart=item.cart, product__name="Tin Cup", product__is_listed=False)
    assert len(read_cart(item.cart).problems) == 2


def test_a_buyer_agrees_to_products_quantities_and_prices():
    item = CartItemFactory(product__price_minor=1_000, quantity=2)
    other = CartItemFactory(cart=item.cart, product__price_minor=300, quantity=3)
    assert read_cart(item.cart).agreed.split(",") == [f"{item.product_id}:2:1000", f"{other.product_id}:3:300"]
    assert read_cart(None).agreed == ""


# --- Adding ---------------------------------------------------------------------------------------------------------------


def test_all_that_is_left_can_be_added_at_once_or_in_parts():
    kettle = ProductFactory(stock=3)
    assert add_to_cart(CartFactory(), kettle, 3).quantity == 3
    cart = CartFactory()
    add_to_cart(cart, kettle, 1)
    assert add_to_cart(cart, kettle, 2).quantity == 3


def test_adding_names_the_product_in_the_cart_and_leaves_other_carts_and_lines_alone():
    kettle, cup = ProductFactory(), ProductFactory(name="Tin Cup")
    other, cart = CartItemFactory(product=kettle, quantity=4), CartFactory()
    line = CartItemFactory(cart=cart, product=cup, quantity=6)

    item = add_to_cart(cart, kettle, 2)
    add_to_cart(cart, kettle, 1)

    item.refresh_from_db()
    assert (item.cart, item.product, item.name, item.quantity) == (cart, kettle, "Copper Kettle", 3)
    assert [CartItem.objects.get(pk=row.pk).quantity for row in (other, line)] == [4, 6]


def test_a_product_that_sold_out_after_it_was_added_is_refused_as_sold_out():
    item = CartItemFactory(product__stock=-2)
    with pytest.raises(OutOfStock, match=r"^Copper Kettle is sold out\.$"):
        add_to_cart(item.cart, item.product, 1)


def test_the_maximum_quantity_of_a_line_is_refused_before_the_stock_is():
    kettle = ProductFactory(stock=2 * 10**6)
    with pytest.raises(OutOfStock, match=r"^Only 1000000 of Copper Kettle are left\.$"):
        add_to_cart(CartFactory(), kettle, 10**6 + 1)


def test_a_cart_takes_products_until_it_has_the_maximum_number_of_lines_whatever_other_carts_hold():
    cart = CartFactory()
    CartItemFactory.create_batch(MAX_LINES - 1, cart=cart)
    CartItemFactory()
    add_to_cart(cart, ProductFactory(), 1)
    assert CartItem.objects.filter(cart=cart).count() == MAX_LINES == 100


def test_two_requests_that_add_the_same_product_at_once_add_up(monkeypatch):
    """The other request puts the line in after this one has found none."""
    cart, kettle = CartFactory(), ProductFactory()
    create, met = CartItem.objects.create, []

    def create_second(**fields):
        if not met:
            met.append(create(**fields))
            raise IntegrityError("unique")
        return create(**fields)

    monkeypatch.setattr(CartItem.objects, "create", create_second)

    assert add_to_cart(cart, kettle, 2).quantity == 4
    assert CartItem.objects.count() == 1


def test_changing_a_cart_dates_it_anew_and_no_other():
    old = timezone.now().replace(microsecond=0) - timedelta(days=1)
    cart, other = CartFactory(updated_at=old), CartFactory(updated_at=old)

    item = add_to_cart(cart, ProductFactory(), 1)
    assert cart.updated_at > old
    cart.refresh_from_db()
    other.refresh_from_db()
    assert (cart.updated_at > old, other.updated_at) == (True, old)

    for quantity in (2, 0):
        Cart.objects.update(updated_at=old)
        set_quantity(item, quantity)
        cart.refresh_from_db()
        assert cart.updated_at > old


# --- Changing -------------------------------------------------------------------------------------------------------------


def test_setting_a_quantity_changes_that_line_alone():
    item = CartItemFactory(product__stock=3)
    other = CartItemFactory(cart=item.cart)

    set_quantity(item, 3)

    assert item.quantity == 3
    assert [CartItem.objects.get(pk=row.pk).quantity for row in (item, other)] == [3, 1]


def test_removing_a_line_leaves_the_others():
    item = CartItemFactory()
    other = CartItemFactory(cart=item.cart)
    set_quantity(item, 0)
    assert CartItem.objects.get() == other


def test_the_quantity_of_a_product_that_is_no_longer_sold_cannot_be_set():
    item = CartItemFactory(product__is_listed=False, quantity=2)
    with pytest.raises(NotSold, match=r"^Copper Kettle is no longer sold\. Please remove it\.$"):
        set_quantity(item, 1)
    item.refresh_from_db()
    assert item.quantity == 2


def test_the_quantity_of_a_deleted_product_cannot_be_set():
    item = CartItemFactory()
    Product.objects.all().delete()
    with pytest.raises(NotSold, match=r"^Copper Kettle is no longer sold\. Please remove it\.$"):
        set_quantity(CartItem.objects.get(pk=item.pk), 2)


def test_reading_one_cart_shows_no_lines_of_another():
    item = CartItemFactory()
    CartItemFactory()
    contents = read_cart(item.cart)
    assert (contents.cart, [line.item for line in contents.lines]) == (item.cart, [item])


# --- Carts that nobody comes back for ---------------------------------------------------------------------------------------


def test_a_guests_cart_is_kept_for_thirty_days():
    now = timezone.now()
    kept = CartFactory(updated_at=now - timedelta(days=30))
    CartFactory(updated_at=now - timedelta(days=30, microseconds=1000))
    assert forget_old_carts(at=now) == 1
    assert Cart.objects.get() == kept


def test_how_long_a_guests_cart_is_kept_is_a_setting(settings):
    settings.CART_KEEP_DAYS = 7
    CartFactory(updated_at=timezone.now() - timedelta(days=8))
    assert forget_old_carts(at=timezone.now()) == 1


def test_without_old_carts_none_is_deleted():
    assert forget_old_carts(at=timezone.now()) == 0


def test_a_thousand_old_carts_are_deleted_at_a_time():
    old = timezone.now() - timedelta(days=31)
    Cart.objects.bulk_create(Cart(updated_at=old) for _ in range(1_001))
    assert forget_old_carts(at=timezone.now()) == 1_000
    assert Cart.objects.count() == 1
