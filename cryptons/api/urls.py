from django.urls import include, path, re_path

from cryptons.api.docs import docs, schema
from cryptons.api.errors import not_found

urlpatterns = [
    path("", include("accounts.api.urls")),
    path("", include("accounts.verification.urls")),
    path("", include("shop.api.urls")),
    path("", include("reviews.api.urls")),
    path("", include("payments.api.urls")),
    path("", include("cryptons.events.api.urls")),
    path("schema", schema, name="api_schema"),
    path("docs", docs, name="api_docs"),
    re_path(r"^.*$", not_found),
]
