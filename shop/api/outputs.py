"""What the API answers about the shop: products, categories, carts, orders, health."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.api.inputs import AddressField
from cryptons.api.envelope import json_bytes
from cryptons.api.outputs import AmountText, DecimalText, ListMeta, Output
from cryptons.api.views import cursor_after
from cryptons.languages import path_of
from cryptons.money import UNITS, format_fiat, indicative_coin_price
from payments.api.outputs import STATES, InvoiceStatusSerializer, NodeSerializer
from payments.invoices.buyer_view import BuyerView, QuoteView, read_buyer_view
from payments.models import Invoice
from payments.networks.registry import is_sandbox
from payments.rates.current import current_rates
from shop.catalogue.reads import Found
from shop.checkout.placing import Placed
from shop.models import LOW_STOCK, Category, Order, OrderLine, Product, ProductImage
from shop.orders.state import current_invoice
from shop.orders.timeline import Entry
from shop.search.base import PriceRange

Fields = dict[str, serializers.Field[Any, Any, Any, Any]]


def coin_prices(price_minor: int) -> dict[str, str]:
    """Return the approximate price in each coin that has a fresh rate. Only an invoice promises an amount."""
    return {
        coin: indicative_coin_price(price_minor, minor_per_coin=rate.minor_per_coin, network=coin)
        for coin, rate in current_rates().items()
        if coin in UNITS
    }


class PriceText(AmountText):
    """Minor units of the shop's currency."""

    def write(self, amount: int) -> str:
        return format_fiat(amount, settings.CURRENCY)


class ImageSerializer(Output):
    id = serializers.UUIDField(source="pk")
    url = serializers.CharField()
    thumbnail = serializers.CharField()
    alt = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()

    def read_url(self, image: ProductImage) -> str:
        return _absolute(image.file.url)

    def read_thumbnail(self, image: ProductImage) -> str:
        return _absolute((image.thumbnail or image.file).url)


def _absolute(url: str) -> str:
    """Return a picture's address for programs that know no page it would be relative to."""
    return urljoin(settings.PUBLIC_URL, url)


class CategoryLinkSerializer(Output):
    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    slug = serializers.CharField()


class CategorySerializer(CategoryLinkSerializer):
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    position = serializers.IntegerField()


@dataclass(frozen=True)
class Branch:
    category: Category
    children: "tuple[Branch, ...]"


class CategoryBranchSerializer(Output):
    id = serializers.UUIDField(source="category.pk")
    name = serializers.CharField(source="category.name")
    slug = serializers.CharField(source="category.slug")
    parent = serializers.UUIDField(source="category.parent_id", allow_null=True)  # type: ignore[assignment]
    position = serializers.IntegerField(source="category.position")

    def get_fields(self) -> Fields:
        return {**super().get_fields(), "children": CategoryBranchSerializer(many=True)}


class RatingsSerializer(Output):
    average = DecimalText()
    count = serializers.IntegerField(source="rating_count")

    def read_average(self, product: Product) -> str:
        return f"{product.rating_average:.2f}"


class ProductSummarySerializer(Output):
    """A row of a list: what a card shows."""

    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    slug = serializers.CharField()
    sku = serializers.CharField()
    price = PriceText(source="price_minor")
    currency = serializers.CharField()
    priceInCrypto = serializers.DictField(child=DecimalText())
    category = CategoryLinkSerializer()
    stock = serializers.IntegerField(
        help_text=f"In a list the number may be up to five minutes old while more than {LOW_STOCK} are left; whether any are left is not."
    )
    images = ImageSerializer(many=True)
    ratings = RatingsSerializer(source="*")
    isListed = serializers.BooleanField(source="is_listed")
    updatedAt = serializers.DateTimeField(
        source="updated_at", help_text="A sale changes `stock`, and this only if the product sells out or is available again."
    )

    def read_currency(self, product: Product) -> str:
        return settings.CURRENCY

    def read_priceInCrypto(self, product: Product) -> dict[str, str]:
        return coin_prices(product.price_minor)

    def read_images(self, product: Product) -> Sequence[ProductImage]:
        return list(product.images.all())[:1]


class ProductSerializer(ProductSummarySerializer):
    """A product with everything that its page shows."""

    description = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")

    def read_images(self, product: Product) -> Sequence[ProductImage]:
        return list(product.images.all())


class ProductSuggestionSerializer(Output):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


class CategoryFacetSerializer(CategoryLinkSerializer):
    count = serializers.IntegerField()


class PriceFacetSerializer(Output):
    count = serializers.IntegerField()

    def get_fields(self) -> Fields:
        """Declare `from`, which Python does not allow as a name."""
        return {"from": PriceText(source="from_minor"), "to": DecimalText(allow_null=True), **super().get_fields()}

    def read_to(self, bucket: PriceRange) -> str | None:
        return None if bucket.to_minor is None else format_fiat(bucket.to_minor, settings.CURRENCY)


class RatingFacetSerializer(Output):
    count = serializers.IntegerField()

    def get_fields(self) -> Fields:
        return {"from": serializers.IntegerField(), **super().get_fields()}


class FacetsSerializer(Output):
    """What each filter would leave; an empty choice is not offered."""

    categories = CategoryFacetSerializer(many=True)
    prices = PriceFacetSerializer(many=True, source="facets.prices")
    ratings = RatingFacetSerializer(many=True)
    inStock = serializers.IntegerField(source="facets.in_stock")

    def read_categories(self, found: Found) -> list[dict[str, Any]]:
        counts = found.category_counts
        return [
            {"pk": category.pk, "name": category.name, "slug": category.slug, "count": counts[category.pk]}
            for category in found.tree
            if counts.get(category.pk)
        ]

    def read_ratings(self, found: Found) -> list[dict[str, Any]]:
        return [{"from": stars, "count": count} for stars, count in found.facets.ratings.items()]


class ProductPageMeta(ListMeta):
    """Of a page that the search found: `after` goes on from the first one if it has no words to search for and begins with the newest."""

    page = serializers.IntegerField(source="page.number", allow_null=True, help_text="null for a page that was asked for by `after`")
    limit = serializers.IntegerField(source="page.paginator.per_page")
    next = serializers.CharField(
        allow_null=True,
        help_text="Sent as `after`, it gets the next page; null on the last one, for a search or another order, and with `page` above 1",
    )
    facets = FacetsSerializer(source="*", allow_null=True, help_text="null with `after`, `updatedSince` and `unlisted`")
    searchEngine = serializers.CharField(source="engine")

    def read_next(self, found: Found) -> str | None:
        can_go_on = found.query.is_by_age and found.page.number == 1 and found.page.has_next() and found.products
        return cursor_after(found.products, by="-created_at") if can_go_on else None


class CartItemSerializer(Output):
    """A product that was deleted has no id any more; one that is no longer sold has the price 0 and blocks the order."""

    id = serializers.UUIDField(source="item.pk")
    productId = serializers.UUIDField(source="item.product_id", allow_null=True)
    name = serializers.CharField()
    price = PriceText(source="price_minor")
    quantity = serializers.IntegerField()
    addedAt = serializers.DateTimeField(source="item.added_at")


class CartSerializer(Output):
    id = serializers.UUIDField(source="cart.pk")
    userId = serializers.UUIDField(source="cart.user_id", allow_null=True)
    items = CartItemSerializer(source="lines", many=True)
    subtotal = PriceText(source="subtotal_minor")
    discount = PriceText(source="discount_minor", help_text="Of its voucher")
    voucher = serializers.CharField(allow_null=True, help_text="Entered on the cart's page")
    total = PriceText(source="total_minor")
    updatedAt = serializers.DateTimeField(source="cart.updated_at")


class OrderItemSerializer(Output):
    productId = serializers.UUIDField(source="product_id", allow_null=True)
    name = serializers.CharField()
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    price = DecimalText()
    cryptocurrency = serializers.CharField(source="order.network")

    def read_price(self, line: OrderLine) -> str:
        return format_fiat(line.price_minor, line.order.currency)


class OrderSerializer(Output):
    id = serializers.UUIDField(source="pk")
    userId = serializers.UUIDField(source="user_id", allow_null=True)
    orderNumber = serializers.CharField(source="number")
    items = OrderItemSerializer(source="lines", many=True)
    subtotal = DecimalText(help_text="The price of all items")
    discount = DecimalText()
    voucher = serializers.CharField(allow_null=True, help_text="The code of the voucher that gave the discount")
    totalAmount = DecimalText()
    termsVersionId = serializers.UUIDField(source="terms_id", allow_null=True, help_text="Accepted with the order; null if not asked")
    cryptocurrency = serializers.CharField(source="network")
    status = serializers.ChoiceField(Order.Status.values)
    paymentStatus = serializers.ChoiceField(Order.PaymentStatus.values, source="payment_status")
    transactionHash = serializers.CharField(allow_null=True)
    shippingAddress = AddressField(source="shipping_address")
    createdAt = serializers.DateTimeField(source="created_at")
    updatedAt = serializers.DateTimeField(source="updated_at")

    def read_subtotal(self, order: Order) -> str:
        return format_fiat(order.subtotal_minor, order.currency)

    def read_discount(self, order: Order) -> str:
        return format_fiat(order.discount_minor, order.currency)

    def read_voucher(self, order: Order) -> str | None:
        return order.voucher_code or None

    def read_totalAmount(self, order: Order) -> str:
        return format_fiat(order.total_minor, order.currency)

    def read_transactionHash(self, order: Order) -> str | None:
        return order.transaction_hash or None


@extend_schema_serializer(component_name="PaymentRequest")  # generated clients would name its `status` like an order's `paymentStatus`
class OrderPaymentSerializer(Output):
    """How an order is to be paid: the newest quote of its invoice."""

    invoiceId = serializers.UUIDField(source="invoice_id")
    status = serializers.ChoiceField(Invoice.Status.values)
    network = serializers.CharField()
    address = serializers.CharField(help_text="For a card, the name of its Checkout Session")
    destinationTag = serializers.CharField(allow_null=True)
    amount = DecimalText(source="due_text")
    uri = serializers.CharField(help_text="What a wallet opens; for a card, the page on which it is charged, opened in a browser")
    lightning = serializers.CharField(allow_null=True)
    expiresAt = serializers.DateTimeField(source="expires_at")
    payUrl = serializers.CharField()
    sandbox = serializers.BooleanField()

    def read_destinationTag(self, view: QuoteView) -> str | None:
        return view.destination_tag or None

    def read_lightning(self, view: QuoteView) -> str | None:
        return view.payment_request or None

    def read_payUrl(self, view: QuoteView) -> str:
        # English, in which the API answers, need not be a language of the shop's pages.
        return settings.PUBLIC_URL + path_of("shop:pay", view.invoice_id, settings.LANGUAGE_CODE)

    def read_sandbox(self, view: QuoteView) -> bool:
        return is_sandbox()


class PlacedOrderSerializer(OrderSerializer):
    payment = OrderPaymentSerializer()
    accessKey = serializers.CharField(
        allow_null=True, help_text="Of a guest's order, told this once: it is sent as X-Order-Key. A user sends the token."
    )

    @classmethod
    def serialize(cls, row: Placed) -> dict[str, Any]:
        quote = row.quote or read_payment(row.order)
        access_key = None if row.order.user_id else row.order.access_token
        return {**OrderSerializer.serialize(row.order), "payment": OrderPaymentSerializer.serialize(quote), "accessKey": access_key}


def read_payment(order: Order) -> BuyerView:
    """Return the state of the order's newest invoice. Raises Invoice.DoesNotExist."""
    invoice = current_invoice(order)
    if invoice is None:
        raise Invoice.DoesNotExist
    return read_buyer_view(invoice.pk)


def write_update(order_id: UUID) -> str:
    """Write what a stream of the order says as it is now. Raises Order.DoesNotExist."""
    order = Order.objects.prefetch_related("lines").get(pk=order_id)
    invoice = current_invoice(order)
    payment = InvoiceStatusSerializer.serialize(read_buyer_view(invoice.pk)) if invoice else None
    return json_bytes({"order": OrderSerializer.serialize(order), "payment": payment}).decode()


class OrderEventSerializer(Output):
    seq = serializers.IntegerField(source="event.seq")
    type = serializers.CharField(source="event.type")
    title = serializers.CharField()
    status = serializers.CharField()
    paymentStatus = serializers.CharField()
    createdAt = serializers.DateTimeField(source="at")

    def read_status(self, entry: Entry) -> str:
        return str(entry.event.data["status"])

    def read_paymentStatus(self, entry: Entry) -> str:
        return str(entry.event.data["paymentStatus"])


class _PartSerializer(Output):
    status = serializers.ChoiceField(STATES)
    problem = serializers.CharField()


class DatabaseHealthSerializer(_PartSerializer):
    engine = serializers.CharField()
    latencyMs = serializers.IntegerField()


class DiskHealthSerializer(_PartSerializer):
    freeBytes = serializers.IntegerField()


class CacheHealthSerializer(_PartSerializer):
    pass


class SearchHealthSerializer(_PartSerializer):
    engine = serializers.CharField()


class QueueHealthSerializer(_PartSerializer):
    waiting = serializers.IntegerField(allow_null=True)


class MailHealthSerializer(_PartSerializer):
    waiting = serializers.IntegerField()
    oldestUnsentAt = serializers.DateTimeField(allow_null=True)


class NodesHealthSerializer(_PartSerializer):
    networks = serializers.ListField(child=NodeSerializer())
    """Serialized already: they come from the cache."""


class HealthSerializer(Output):
    status = serializers.ChoiceField(STATES)
    checkedAt = serializers.DateTimeField()
    database = DatabaseHealthSerializer()
    cache = CacheHealthSerializer()
    search = SearchHealthSerializer()
    queue = QueueHealthSerializer()
    disk = DiskHealthSerializer()
    mail = MailHealthSerializer()
    nodes = NodesHealthSerializer()
