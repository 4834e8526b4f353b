"""The plainest valid rows: a kettle at 49.99 of which ten are left, and an order of two of them that nobody has paid."""

from datetime import UTC, datetime

import factory

from shop.models import Cart, CartItem, Category, Order, OrderLine, Product

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ADDRESS = {"name": "Ada Lovelace", "street": "12 Example Road", "city": "London", "postalCode": "N1 1AA", "country": "GB"}


class CategoryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Category

    name = factory.Sequence(lambda n: f"Category {n}")
    slug = factory.Sequence(lambda n: f"category-{n}")


class ProductFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Product

    name = "Copper Kettle"
    slug = factory.Sequence(lambda n: f"product-{n}")
    sku = factory.Sequence(lambda n: f"SKU-{n:04d}")
    description = "Boils water."
    price_minor = 4_999
    category = factory.SubFactory(CategoryFactory)
    stock = 10


class CartFactory(factory.django.DjangoModelFactory):
    """A guest's, empty."""

    class Meta:
        model = Cart


class CartItemFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = CartItem

    cart = factory.SubFactory(CartFactory)
    product = factory.SubFactory(ProductFactory)
    name = factory.SelfAttribute("product.name")
    quantity = 1


class OrderFactory(factory.django.DjangoModelFactory):
    """A guest's. Its lines come from OrderLineFactory; their stock is not taken."""

    class Meta:
        model = Order

    email = "ada@example.com"
    network = "BTC"
    total_minor = 9_998
    currency = "USD"
    shipping_address = factory.LazyFunction(ADDRESS.copy)
    created_at = NOW
    updated_at = NOW


class OrderLineFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = OrderLine

    order = factory.SubFactory(OrderFactory)
    product = factory.SubFactory(ProductFactory)
    name = factory.SelfAttribute("product.name")
    sku = factory.SelfAttribute("product.sku")
    price_minor = factory.SelfAttribute("product.price_minor")
    quantity = 2
