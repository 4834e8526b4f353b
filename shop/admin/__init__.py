from shop.admin import catalogue, orders, vouchers

__all__ = ["catalogue", "orders", "vouchers"]
