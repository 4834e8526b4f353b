"""What an order would cost, before it is placed."""

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import AddressField
from accounts.models import User
from cryptons.api.errors import NotFound
from cryptons.api.inputs import Input
from cryptons.api.outputs import DecimalText, Output
from cryptons.api.permissions import Anybody
from cryptons.api.schema import NOTHING, describe
from cryptons.api.views import ApiView, success
from cryptons.coins import paid_with
from cryptons.money import UNITS, format_coin, format_rate
from shop.api.orders import ItemInput, sum_quantities
from shop.api.outputs import PriceText
from shop.api.pages import PageLinkSerializer
from shop.api.vouchers import VoucherField, read_voucher
from shop.cart.contents import MAX_LINES, read_cart
from shop.checkout.placing import contents_of
from shop.checkout.quoting import OrderQuote, QuotedAmount, quote_order
from shop.models import Cart, Product
from shop.settings.current import PublishedPage
from shop.settings.terms import terms_to_accept


class QuotedItemSerializer(Output):
    productId = serializers.UUIDField(source="product.pk")
    name = serializers.CharField()
    sku = serializers.CharField(source="product.sku")
    quantity = serializers.IntegerField()
    price = PriceText(source="price_minor")
    total = PriceText(source="total_minor")


class QuotedAmountSerializer(Output):
    """What would be due over one network. With a `problem` it cannot be used now, and has no amount if there is no rate."""

    network = serializers.ChoiceField(list(UNITS))
    cryptocurrency = serializers.ChoiceField(paid_with(), help_text="To be ordered with")
    amount = DecimalText(allow_null=True)
    rate = DecimalText(allow_null=True)
    rateSources = serializers.DictField(child=serializers.CharField(), source="sources")
    quotedAt = serializers.DateTimeField(allow_null=True, source="quoted_at")
    problem = serializers.CharField(allow_null=True)

    def read_amount(self, quoted: QuotedAmount) -> str | None:
        return None if quoted.due_base is None else format_coin(quoted.due_base, quoted.network)

    def read_rate(self, quoted: QuotedAmount) -> str | None:
        return None if quoted.rate is None else format_rate(quoted.rate.minor_per_coin, settings.CURRENCY)

    def read_problem(self, quoted: QuotedAmount) -> str | None:
        return quoted.problem or None


class OrderQuoteSerializer(Output):
    items = QuotedItemSerializer(source="lines", many=True)
    subtotal = PriceText(source="totals.subtotal_minor")
    discount = PriceText(source="totals.discount_minor")
    voucher = serializers.CharField(allow_null=True)
    totalAmount = PriceText(source="totals.total_minor")
    currency = serializers.CharField()
    terms = PageLinkSerializer(allow_null=True, help_text="What the order's `acceptedTerms` accepts; null while the shop does not ask")
    amounts = QuotedAmountSerializer(many=True)

    def read_voucher(self, quote: OrderQuote) -> str | None:
        return quote.voucher_code or None

    def read_terms(self, quote: OrderQuote) -> PublishedPage | None:
        return terms_to_accept()

    def read_currency(self, quote: OrderQuote) -> str:
        return settings.CURRENCY


class OrderQuoteInput(Input):
    """These items; without `items`, those in the user's cart. An address is checked as that of an order is."""

    example = {"items": [{"productId": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "quantity": 1}], "cryptocurrency": "BTC"}

    items = serializers.ListField(child=ItemInput(), required=False, min_length=1, max_length=MAX_LINES)
    cryptocurrency = serializers.ChoiceField(choices=paid_with(), required=False, help_text="Without it, the amounts in all coins")
    shippingAddress = AddressField(required=False)
    voucher = VoucherField(required=False)


class GuestQuoteInput(OrderQuoteInput):
    def get_fields(self) -> dict[str, serializers.Field[object, object, object, object]]:
        fields = super().get_fields()
        fields["items"].required = True
        return fields


class CheckoutQuote(ApiView):
    permission_classes = [Anybody]

    @describe(
        "Quote an order",
        data=OrderQuoteSerializer,
        body=OrderQuoteInput,
        errors=[404, 409, 415],
        login=True,
        guests=NOTHING,
    )
    def post(self, request: Request) -> Response:
        """Total and amounts at the current rates, without placing an order: nothing is reserved, and an order may get another rate."""
        user = request.user if isinstance(request.user, User) else None
        values = self.valid(OrderQuoteInput if user else GuestQuoteInput)
        voucher, now = read_voucher(request, values), timezone.now()
        try:
            if "items" in values:
                contents = contents_of(sum_quantities(values["items"]), voucher, at=now)
            else:
                contents = read_cart(Cart.objects.filter(user=user).first(), voucher, at=now)
        except Product.DoesNotExist:
            raise NotFound(_("Product not found")) from None
        quote = quote_order(contents, values.get("cryptocurrency", ""), at=now)
        return success(OrderQuoteSerializer.serialize(quote), headers={"Cache-Control": "no-store"})
