"""The button that takes the demo catalogue away, and the page that asks to confirm it."""

from collections.abc import Sequence

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.admin_actions import ConfirmationPage, confirm
from shop.demo.removing import find_demo, remove_demo
from shop.models import Product

MOST_NAMES = 20


def remove_demo_page(request: HttpRequest) -> HttpResponse:
    """Show what would be removed and what stays, and remove it when staff confirm."""
    if not request.user.has_perm("shop.delete_product"):
        raise PermissionDenied

    def run(_sent: object) -> None:
        count = len(remove_demo().untouched)
        message = ngettext("%(count)d demo product was removed.", "%(count)d demo products were removed.", count)
        messages.success(request, message % {"count": count})

    return confirm(request, _describe, run, refusals=())


def _describe() -> ConfirmationPage:
    found = find_demo()
    back = reverse("admin:shop_product_changelist")
    return ConfirmationPage(
        title=_("Remove the demo catalogue"),
        question=_("The products are deleted with their pictures, and the demo's categories that are empty then. This cannot be undone.")
        if found.untouched
        else _("There is no demo product that can be removed."),
        button=_("Remove the demo catalogue") if found.untouched else "",
        back=back,
        path=[(_("Products"), back)],
        facts=[
            (_("Removed"), _names(found.untouched)),
            (_("Kept, because staff changed them"), _names(found.changed)),
            (_("Kept, because they were ordered or rated"), _names(found.used)),
        ],
    )


def _names(products: Sequence[Product]) -> list[str]:
    more = len(products) - MOST_NAMES
    rest = [ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}] if more > 0 else []
    return [product.name for product in products[:MOST_NAMES]] + rest
