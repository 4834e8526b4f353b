"""The plainest valid rows: a kettle at 49.99 of which ten are left, and an order of two of them that nobody has paid."""

from datetime import UTC, datetime

from factory.declarations import LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from shop.models import Cart, CartItem, Category, Order, OrderLine, Product

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ADDRESS = {"name": "Ada Lovelace", "street": "12 Example Road", "city": "London", "postalCode": "N1 1AA", "country": "GB"}


class CategoryFactory(DjangoModelFactory[Category]):
    class Meta:
        model = Category

    name = Sequence(lambda n: f"Category {n}")
    slug = Sequence(lambda n: f"category-{n}")


class ProductFactory(DjangoModelFactory[Product]):
    class Meta:
        model = Product

    name = "Copper Kettle"
    slug = Sequence(lambda n: f"product-{n}")
    sku = Sequence(lambda n: f"SKU-{n:04d}")
    description = "Boils water."
    price_minor = 4_999
    category = SubFactory(CategoryFactory)
    stock = 10


class CartFactory(DjangoModelFactory[Cart]):
    """A guest's, empty."""

    class Meta:
        model = Cart


class CartItemFactory(DjangoModelFactory[CartItem]):
    class Meta:
        model = CartItem

    cart = SubFactory(CartFactory)
    product = SubFactory(ProductFactory)
    name = SelfAttribute("product.name")
    quantity = 1


class OrderFactory(DjangoModelFactory[Order]):
    """A guest's. Its lines come from OrderLineFactory; their stock is not taken."""

    class Meta:
        model = Order

    email = "ada@example.com"
    network = "BTC"
    total_minor = 9_998
    currency = "USD"
    shipping_address = LazyFunction(ADDRESS.copy)
    created_at = NOW
    updated_at = NOW


class OrderLineFactory(DjangoModelFactory[OrderLine]):
    class Meta:
        model = OrderLine

    order = SubFactory(OrderFactory)
    product = SubFactory(ProductFactory)
    name = SelfAttribute("product.name")
    sku = SelfAttribute("product.sku")
    price_minor = SelfAttribute("product.price_minor")
    quantity = 2
