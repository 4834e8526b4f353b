"""Which version of the terms the buyer of an order accepted, for staff."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from cryptons.formats import short_moment
from shop.models import Order
from shop.settings.models import PageVersion


@admin.display(description=gettext_lazy("accepted terms"))
def accepted_terms(order: Order) -> SafeString | str:
    version = PageVersion.objects.filter(pk=order.terms_id).first() if order.terms_id else None
    if version is None:
        return "–"
    address = reverse("admin:settings_contentpage_version", args=[version.page_id, version.number])
    values = {"number": version.number, "moment": short_moment(order.created_at)}
    return format_html('<a href="{}">{}</a>', address, gettext("Version %(number)s, %(moment)s") % values)
