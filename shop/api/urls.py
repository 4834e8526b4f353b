from django.urls import path

from cryptons.response_cache import ready_bytes
from shop.api import carts, categories, checkout, figures, health, orders, pages, product_filters, product_images, products, settings
from shop.catalogue.reads import lists_and_rates
from shop.catalogue.version import category_version, settings_version

cached_products = ready_bytes(versions=lists_and_rates, parameters=product_filters.PARAMETERS, strict=True)
cached_product = ready_bytes(versions=products.version_of, strict=True)
cached_settings = ready_bytes(versions=settings_version, strict=True)
cached_pages = ready_bytes(versions=settings_version, strict=True)
cached_page = ready_bytes(versions=lambda slug: settings_version(), strict=True)
cached_categories = ready_bytes(versions=category_version, strict=True)

urlpatterns = [
    path("admin/stats", figures.ShopStats.as_view()),
    path("admin/analytics", figures.ShopAnalytics.as_view()),
    path("admin/health", health.Health.as_view()),
    path("products", cached_products(products.Products.as_view())),
    path("products/suggest", products.ProductSuggestions.as_view()),
    path("products/<str:product_id>", cached_product(products.OneProduct.as_view())),
    path("products/<str:product_id>/images", product_images.ProductImages.as_view()),
    path("products/<str:product_id>/images/order", product_images.ProductImageOrder.as_view()),
    path("products/<str:product_id>/images/<str:image_id>", product_images.OneProductImage.as_view()),
    path("categories", cached_categories(categories.Categories.as_view())),
    path("categories/<str:category_id>", categories.OneCategory.as_view()),
    path("settings", cached_settings(settings.ShopSettingsView.as_view())),
    path("pages", cached_pages(pages.Pages.as_view())),
    path("pages/<str:slug>", cached_page(pages.OnePage.as_view())),
    path("cart", carts.OneCart.as_view()),
    path("cart/items", carts.CartItems.as_view()),
    path("cart/items/<str:item_id>", carts.OneCartItem.as_view()),
    path("checkout/quote", checkout.CheckoutQuote.as_view()),
    path("orders", orders.Orders.as_view()),
    path("orders/<str:order_id>", orders.OneOrder.as_view()),
    path("orders/<str:order_id>/status", orders.OrderStatus.as_view()),
    path("orders/<str:order_id>/cancel", orders.OrderCancellation.as_view()),
    path("orders/<str:order_id>/events", orders.OrderEvents.as_view()),
    path("orders/<str:order_id>/stream", orders.OrderStream.as_view()),
    path("orders/<str:order_id>/payment", orders.OrderPayment.as_view()),
]
