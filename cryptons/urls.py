from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from cryptons.api.docs import docs, docs_settings, schema
from cryptons.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz),
    path("admin/login/", RedirectView.as_view(pattern_name="accounts:login", query_string=True)),
    path("admin/", admin.site.urls),
    path("api/schema", schema, name="api_schema"),
    path("api/docs", docs, name="api_docs"),
    path("api/docs/settings.js", docs_settings, name="api_docs_settings"),
    path("api/v1/", include("cryptons.api.urls")),
    path("api/", include("cryptons.api.urls")),
    path("account/", include("accounts.urls")),
    path("", include("payments.urls")),
    path("", include("shop.urls")),
]

handler400 = "cryptons.error_pages.bad_request"
handler403 = "cryptons.error_pages.permission_denied"
handler404 = "cryptons.error_pages.not_found"
handler500 = "cryptons.error_pages.server_error"
