from django.urls import path

from shop.api import categories, products

urlpatterns = [
    path("products", products.Products.as_view()),
    path("products/suggest", products.ProductSuggestions.as_view()),
    path("products/<str:product_id>", products.OneProduct.as_view()),
    path("products/<str:product_id>/images", products.ProductImages.as_view()),
    path("categories", categories.Categories.as_view()),
    path("categories/<str:category_id>", categories.OneCategory.as_view()),
]
