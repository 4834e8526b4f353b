"""The cart of a user."""

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.tokens import api_user, stored_user
from cryptons.api.errors import NotFound
from cryptons.api.idempotency import idempotent
from cryptons.api.inputs import Input, StrictInteger, StrictUUID
from cryptons.api.permissions import Authenticated
from cryptons.api.schema import describe, idempotency_key
from cryptons.api.views import ApiView, get_or_404, success
from shop.api.outputs import CartSerializer
from shop.cart.contents import add_to_cart, cart_of, read_cart, set_quantity
from shop.models import MAX_QUANTITY, CartItem, Product


class AddInput(Input):
    example = {"productId": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "quantity": 2}

    productId = StrictUUID()
    quantity = StrictInteger(min_value=1, max_value=MAX_QUANTITY, required=False)


class QuantityInput(Input):
    example = {"quantity": 3}

    quantity = StrictInteger(min_value=0, max_value=MAX_QUANTITY)


def _cart(user: User, *, status: int = 200) -> Response:
    return success(CartSerializer.serialize(read_cart(cart_of(user))), status=status)


def _own_item(user: User, item_id: str) -> CartItem:
    return get_or_404(CartItem.objects.filter(cart__user=user).select_related("cart", "product"), item_id, _("Item not found"))


class OneCart(ApiView):
    permission_classes = [Authenticated]

    @describe("Get my cart", data=CartSerializer, login=True)
    def get(self, request: Request) -> Response:
        return _cart(stored_user(request))


class CartItems(ApiView):
    permission_classes = [Authenticated]

    @describe(
        "Add a product to my cart",
        data=CartSerializer,
        status=201,
        body=AddInput,
        parameters=[idempotency_key("The same key and body: the product is added once")],
        errors=[404, 409, 415, 422],
        login=True,
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Adding a product that is in the cart already adds to its quantity."""
        values = self.valid(AddInput)
        product = Product.objects.listed().filter(pk=values["productId"]).first()
        if product is None:
            raise NotFound(_("Product not found"))
        add_to_cart(cart_of(api_user(request)), product, values.get("quantity", 1))
        return _cart(api_user(request), status=201)


class OneCartItem(ApiView):
    permission_classes = [Authenticated]

    @describe("Change the quantity of a cart item", data=CartSerializer, body=QuantityInput, errors=[400, 404, 409, 415], login=True)
    def put(self, request: Request, item_id: str) -> Response:
        """The quantity 0 removes the item."""
        values = self.valid(QuantityInput)
        set_quantity(_own_item(api_user(request), item_id), values["quantity"])
        return _cart(api_user(request))

    @describe("Remove a cart item", data=None, status=204, errors=[404], login=True)
    def delete(self, request: Request, item_id: str) -> Response:
        set_quantity(_own_item(api_user(request), item_id), 0)
        return Response(status=204)
