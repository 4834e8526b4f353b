"""Whose cart it is: a user's one cart, or that of the guest whose session names it."""

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.tests.factories import UserFactory
from cryptons.db import new_id
from shop.cart.contents import SESSION_KEY, cart_of, count_items, find_cart, open_cart
from shop.models import Cart
from shop.tests.factories import CartFactory, CartItemFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(rf):
    """A visitor's request: of this user, with this session."""

    def visit(user=None, **session):
        request = rf.get("/")
        request.user, request.session = user or AnonymousUser(), session
        return request

    return visit


def test_a_guest_without_a_cart_has_none_until_something_is_put_in(visit):
    request = visit()
    assert (find_cart(request), count_items(request), Cart.objects.count()) == (None, 0, 0)

    cart = open_cart(request)

    assert request.session == {SESSION_KEY: str(cart.pk)}
    assert open_cart(request) == find_cart(request) == cart == Cart.objects.get()
    assert cart.user is None


def test_a_guest_whose_cart_was_deleted_gets_a_new_one(visit):
    request = visit(**{SESSION_KEY: str(new_id())})
    cart = open_cart(request)
    assert request.session[SESSION_KEY] == str(cart.pk)


def test_a_user_has_one_cart_whatever_the_session_says(visit):
    user, guests = UserFactory(), CartItemFactory(quantity=7).cart
    request = visit(user, **{SESSION_KEY: str(guests.pk)})
    assert (find_cart(request), count_items(request)) == (None, 0)

    cart = open_cart(request)

    assert (cart.user, open_cart(request), find_cart(request), cart_of(user)) == (user, cart, cart, cart)
    assert find_cart(visit(UserFactory())) is None


def test_a_guest_cannot_reach_the_cart_of_a_user(visit):
    cart = CartItemFactory(cart__user=UserFactory()).cart
    request = visit(**{SESSION_KEY: str(cart.pk)})
    assert (find_cart(request), count_items(request)) == (None, 0)
    assert open_cart(request) != cart


def test_the_pieces_in_the_visitors_cart_are_counted(visit):
    item, user = CartItemFactory(quantity=2), UserFactory()
    CartItemFactory(cart=item.cart, quantity=3)
    CartItemFactory(cart__user=user, quantity=4)
    assert count_items(visit(**{SESSION_KEY: str(item.cart_id)})) == 5
    assert count_items(visit(user, **{SESSION_KEY: str(item.cart_id)})) == 4
    assert count_items(visit(**{SESSION_KEY: str(CartFactory().pk)})) == 0


def test_a_guest_without_a_cart_costs_no_query(visit, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert (find_cart(visit()), count_items(visit())) == (None, 0)
