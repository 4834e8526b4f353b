from shop.admin import catalogue, orders

__all__ = ["catalogue", "orders"]
