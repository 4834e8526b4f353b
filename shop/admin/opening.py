"""The page of the steps before the shop can open."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from shop.opening import PERMISSION, opening_steps

app_name = "opening"


@require_safe
def opening_page(request: HttpRequest) -> HttpResponse:
    """Show all steps to those who may change the settings."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    steps = opening_steps()
    context = {"title": _("Opening the shop"), "steps": steps, "done": sum(step.is_done for step in steps)}
    return render(request, "shop/admin/opening.html", {**admin.site.each_context(request), **context})


urlpatterns = [path("", admin.site.admin_view(opening_page), name="steps")]
