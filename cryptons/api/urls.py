from django.urls import include, path, re_path

from cryptons.api.errors import not_found

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("shop.api.urls")),
    path("", include("payments.api.urls")),
    re_path(r"^.*$", not_found),
]
