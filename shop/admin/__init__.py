from shop.admin import catalogue

__all__ = ["catalogue"]
