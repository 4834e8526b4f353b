"""Orders: a user's own, a guest's by its key, and all of them for staff."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import AddressField, AddressSerializer
from accounts.models import User
from accounts.tokens import actor_name, api_user
from cryptons.api.errors import Conflict, NotFound
from cryptons.api.idempotency import idempotent
from cryptons.api.inputs import Input, StrictBoolean, StrictEmail, StrictInteger, StrictString, StrictUUID
from cryptons.api.permissions import ORDER_KEY, Anybody, OrderHolder, OrderReader, has_permission, is_person, may
from cryptons.api.schema import NOTHING, TEXT, describe, describe_page, idempotency_key
from cryptons.api.schema import ORDER_KEY as BY_ORDER_KEY
from cryptons.api.views import ApiView, get_or_404, paginated, success
from cryptons.coins import paid_with
from cryptons.db import now_as_stored
from cryptons.serving.live_answers import LiveAnswer, live_response
from payments.models import Invoice
from shop.api.order_filters import FILTERS, read_filters
from shop.api.outputs import (
    OrderEventSerializer,
    OrderPaymentSerializer,
    OrderSerializer,
    PlacedOrderSerializer,
    read_payment,
    write_update,
)
from shop.api.vouchers import VoucherField, read_voucher
from shop.cart.contents import MAX_LINES, cart_of
from shop.checkout.placing import order_products, place_order
from shop.checkout.requoting import requote_order
from shop.checkout.unpaid_limits import NOBODY, TooManyUnpaid, Visitor, visitor_of
from shop.models import MAX_QUANTITY, Order, Product
from shop.orders.lifecycle import cancel_own_order, change_status
from shop.orders.live import read_order_marks
from shop.orders.timeline import entry_of, titled_events
from shop.settings.terms import terms_to_accept

IDEMPOTENCY_KEY = idempotency_key("The same key and body: the same order")
LAST_EVENT = OpenApiParameter("Last-Event-ID", TEXT, OpenApiParameter.HEADER, description="The id of the last event that came")
QUOTE_KEY = idempotency_key("The same key and body: the same quote")


class ItemInput(Input):
    example = {"productId": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "quantity": 1}

    productId = StrictUUID()
    quantity = StrictInteger(min_value=1, max_value=MAX_QUANTITY)


class OrderInput(Input):
    """An order of these items; without `items`, of those in the user's cart. A guest's order needs `items` and `email`."""

    example = {
        "email": "ada@example.com",
        "items": [ItemInput.example],
        "cryptocurrency": "BTC",
        "shippingAddress": AddressSerializer.example,
    }

    is_kept = True

    email = StrictEmail(max_length=254, required=False)
    items = serializers.ListField(child=ItemInput(), required=False, min_length=1, max_length=MAX_LINES)
    cryptocurrency = serializers.ChoiceField(choices=paid_with())
    shippingAddress = AddressField()
    voucher = VoucherField(required=False)
    acceptedTerms = StrictBoolean(required=False, help_text="The buyer accepts the terms; needed while the settings have `asksForTerms`")
    termsVersionId = StrictUUID(required=False, help_text="The version that the buyer saw: 409 if it is not shown any more")


class GuestOrderInput(OrderInput):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        fields["email"].required = fields["items"].required = True
        return fields


class StatusInput(Input):
    example = {"status": "shipped", "note": "Two parcels"}

    status = serializers.ChoiceField(choices=Order.Status.values)
    reason = StrictString(
        required=False,
        max_length=200,
        help_text="Needed to move on an order that is not safely paid. That of a cancellation is mailed to the buyer.",
    )
    note = StrictString(required=False, max_length=200, help_text="For staff only.")


class QuoteInput(Input):
    example = {"cryptocurrency": "LTC"}

    cryptocurrency = serializers.ChoiceField(choices=paid_with(), required=False)


class Nothing(Input):
    example = {}


def _own(request: Request) -> QuerySet[Order]:
    """Return the user's orders, or the one whose key a guest has."""
    if isinstance(request.user, User):
        return Order.objects.filter(user=request.user)
    return Order.objects.filter(access_token=request.headers[ORDER_KEY]) if ORDER_KEY in request.headers else Order.objects.none()


def _readable(request: Request) -> QuerySet[Order]:
    """Return the caller's own orders, or all of them for those who may read orders."""
    orders = Order.objects.all() if has_permission(request.user, "orders:read") else _own(request)
    return orders.prefetch_related("lines")


class Orders(ApiView):
    def get_permissions(self) -> list[Any]:
        return [Anybody()] if self.request.method == "POST" else [OrderReader()]

    @describe_page("List orders", data=OrderSerializer, parameters=FILTERS, errors=[400], login=True, scope="orders:read")
    def get(self, request: Request) -> Response:
        """Newest first; with `updatedSince`, the one that changed first is the first, so that no page is missed while others change.

        A program with an API key has no orders of its own and asks for all.
        """
        filters = read_filters(request)
        if filters.all_users and not has_permission(request.user, "orders:read"):
            self.permission_denied(request)
        orders = filters.select(Order.objects.all() if filters.all_users else _own(request))
        return paginated(request, orders.prefetch_related("lines"), OrderSerializer.serialize, by=filters.sorted_by)

    @describe(
        "Place an order",
        data=PlacedOrderSerializer,
        status=201,
        body=OrderInput,
        parameters=[IDEMPOTENCY_KEY],
        errors=[404, 409, 415, 422],
        login=True,
        guests=NOTHING,
    )
    @idempotent
    def post(self, request: Request, *, token: UUID) -> Response:
        """Without items, a user's order takes those in the cart. A guest's answer has the `accessKey` with which the order is read.

        With too many unpaid orders: 409, and a row for each that is open.
        """
        user = request.user if isinstance(request.user, User) else None
        values = self.valid(OrderInput if user else GuestOrderInput)
        buyer: dict[str, Any] = {
            "email": values["email"] if "email" in values else api_user(request).email,
            "user": user,
            "address": values["shippingAddress"],
            "network": values["cryptocurrency"],
            "at": now_as_stored(),
            "token": token if "Idempotency-Key" in request.headers else None,
            "visitor": _visitor(request),
            "voucher": read_voucher(request, values),
            "accepted": _accepted(values),
        }
        try:
            if "items" in values:
                placed = order_products(sum_quantities(values["items"]), **buyer)
            else:
                placed = place_order(cart_of(api_user(request)), **buyer)
        except Product.DoesNotExist:
            raise NotFound(_("Product not found")) from None
        except TooManyUnpaid as error:
            raise _too_many_unpaid(error, request) from error
        return success(PlacedOrderSerializer.serialize(placed), status=201)


def _accepted(values: dict[str, Any]) -> UUID | None:
    """Return the version of the terms that the buyer accepts: without an id, that of now."""
    terms = terms_to_accept()
    if terms is None or not values.get("acceptedTerms"):
        return None
    version: UUID = values.get("termsVersionId", terms.version_id)
    return version


def _visitor(request: Request) -> Visitor:
    """Return where the request comes from; nothing for a program that may change orders, which places those of many buyers."""
    is_trusted = not is_person(request.user) and has_permission(request.user, "orders:write")
    return NOBODY if is_trusted else visitor_of(request._request)


def _too_many_unpaid(error: TooManyUnpaid, request: Request) -> Conflict:
    """Name the open orders that are the user's own, or that of the guest's key, one in each row."""
    key = request.headers.get(ORDER_KEY)
    mine = [order for order in error.orders if (order.user_id == request.user.pk if is_person(request.user) else order.access_token == key)]
    return Conflict(str(error), details=[{"field": "openOrders", "message": str(order.pk)} for order in mine])


def sum_quantities(items: list[dict[str, Any]]) -> dict[UUID, int]:
    """Add up the quantities of each product."""
    quantities: dict[UUID, int] = {}
    for item in items:
        quantities[item["productId"]] = quantities.get(item["productId"], 0) + item["quantity"]
    return quantities


class OneOrder(ApiView):
    permission_classes = [OrderHolder]

    @describe("Get an order", data=OrderSerializer, errors=[404], login=True, scope="orders:read", guests=BY_ORDER_KEY)
    def get(self, request: Request, order_id: str) -> Response:
        return success(OrderSerializer.serialize(get_or_404(_readable(request), order_id, _("Order not found"))))


class OrderStatus(ApiView):
    permission_classes = [may("orders:write")]

    @describe(
        "Change the status of an order",
        data=OrderSerializer,
        body=StatusInput,
        errors=[400, 404, 409, 415],
        scope="orders:write",
    )
    def put(self, request: Request, order_id: str) -> Response:
        """Answers 409 when an order that is not safely paid is moved on without a reason."""
        values = self.valid(StatusInput)
        words = {name: values.get(name, "") for name in ("reason", "note")}
        order = get_or_404(Order.objects.all(), order_id, _("Order not found"))
        changed = change_status(order.pk, values["status"], actor=actor_name(request), at=timezone.now(), **words)
        return success(OrderSerializer.serialize(changed))


class OrderCancellation(ApiView):
    permission_classes = [OrderHolder]

    @describe("Cancel my order", data=OrderSerializer, body=Nothing, errors=[404, 409, 415], login=True, guests=BY_ORDER_KEY)
    def post(self, request: Request, order_id: str) -> Response:
        """Possible while nothing was paid."""
        self.valid(Nothing)
        order = get_or_404(_own(request), order_id, _("Order not found"))
        return success(OrderSerializer.serialize(cancel_own_order(order.pk, at=timezone.now())))


class OrderEvents(ApiView):
    permission_classes = [OrderHolder]

    @describe_page(
        "List the events of an order", data=OrderEventSerializer, errors=[404], login=True, scope="orders:read", guests=BY_ORDER_KEY
    )
    def get(self, request: Request, order_id: str) -> Response:
        order = get_or_404(_readable(request), order_id, _("Order not found"))
        return paginated(request, titled_events(order), lambda event: OrderEventSerializer.serialize(entry_of(event)), by="seq")


class OrderStream(ApiView):
    permission_classes = [OrderHolder]

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take no notice of what the client accepts: it gets a stream if all is well, and otherwise JSON."""
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type

    @describe(
        "Follow an order",
        data=None,
        stream=True,
        parameters=[LAST_EVENT],
        errors=[404],
        login=True,
        scope="orders:read",
        guests=BY_ORDER_KEY,
    )
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """A stream of server-sent events: the state of now, and again after each change of it, until the client leaves.

        Each event is of the type `order`. Its data is a JSON object: `order` is what "Get an order" answers, and `payment` what "Get the
        status of an invoice" answers for the newest invoice, with its confirmations; null without one. Its id stands for the state: a
        client that comes back with it as `Last-Event-ID` gets the next event when something has changed. Lines that begin with a colon
        are comments, and say that the connection lives. The stream ends after five minutes, and its client opens it again.
        """
        order = get_or_404(_readable(request), order_id, _("Order not found"))
        return live_response(request, LiveAnswer("order", order.pk, read_order_marks, partial(write_update, order.pk)))


class OrderPayment(ApiView):
    permission_classes = [OrderHolder]

    @describe(
        "Get the payment of an order", data=OrderPaymentSerializer, errors=[404], login=True, scope="orders:read", guests=BY_ORDER_KEY
    )
    def get(self, request: Request, order_id: str) -> Response:
        order = get_or_404(_readable(request), order_id, _("Order not found"))
        return success(_payment(order))

    @describe(
        "Request a new quote for an order",
        data=OrderPaymentSerializer,
        body=QuoteInput,
        parameters=[QUOTE_KEY],
        errors=[404, 409, 415, 422],
        login=True,
        guests=BY_ORDER_KEY,
    )
    @idempotent
    def post(self, request: Request, order_id: str) -> Response:
        """In another coin, or at the current rate for the same coin. A payment that came late is credited at the current rate."""
        network = self.valid(QuoteInput).get("cryptocurrency", "")
        order = get_or_404(_own(request), order_id, _("Order not found"))
        try:
            quoted = requote_order(order.pk, network, at=now_as_stored(), visitor=_visitor(request))
        except TooManyUnpaid as error:
            raise _too_many_unpaid(error, request) from error
        return success(_payment(quoted))


def _payment(order: Order) -> dict[str, Any]:
    try:
        return OrderPaymentSerializer.serialize(read_payment(order))
    except Invoice.DoesNotExist:
        raise NotFound(_("This order has no payment.")) from None
