"""What the admin's forms send."""

from shop.models import Product


def product_form(product: Product, **values: object) -> dict[str, object]:
    """Return the form of a product as its page has it, without pictures, and with these values."""
    images = {f"images-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    fields = {"name": product.name, "slug": product.slug, "sku": product.sku, "category": str(product.category_id), "description": ""}
    stock = {"initial-stock": product.stock, "stock": product.stock}
    return {**fields, "price": "49.99", "is_listed": "on", **stock, **images, **values}
