from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView


def favicon(request: HttpRequest) -> HttpResponse:
    """Redirect to the icon, for browsers that show a file without an HTML page."""
    return redirect(static("img/favicon.svg"), permanent=True)


urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", favicon),
    path("", include("payments.api.health")),
    path("media/", include("shop.catalogue.media")),
    path("api/v1/", include("cryptons.api.urls")),  # before the other, whose addresses are the ones to be reversed
    path("api/", include("cryptons.api.urls")),
    # Pages: each in every language of the shop, the first without a prefix.
    *i18n_patterns(
        path("admin/login/", RedirectView.as_view(pattern_name="accounts:login", query_string=True)),
        path("admin/password_change/", RedirectView.as_view(pattern_name="accounts:password")),
        path("admin/exceptions/", include("shop.admin.exceptions")),
        path("admin/opening/", include("shop.admin.opening")),
        path("admin/", admin.site.urls),
        path("account/", include("accounts.urls")),
        path("", include("payments.urls")),
        path("", include("shop.urls")),
        path("", include("reviews.urls")),
        prefix_default_language=False,
    ),
]

handler400 = "cryptons.error_pages.bad_request"
handler403 = "cryptons.error_pages.permission_denied"
handler404 = "cryptons.error_pages.not_found"
handler500 = "cryptons.error_pages.server_error"
