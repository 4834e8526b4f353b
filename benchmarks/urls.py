"""The shop's routes and an empty view, for comparison on the same server."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from cryptons.urls import handler400, handler403, handler404, handler500
from cryptons.urls import urlpatterns as shop_routes

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("bare", bare), *shop_routes]
