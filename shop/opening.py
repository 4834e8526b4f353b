"""What a new merchant does before the shop opens: six steps, each with what is still missing and where that is mended."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from payments.networks.registry import failing_networks, is_sandbox, offered_networks
from payments.polling import unpolled_networks
from shop.demo.loading import GOODS
from shop.models import Product
from shop.settings.current import current_pages, current_settings
from shop.settings.models import ONLY, PAGE_KINDS, ShopSettings

PERMISSION = "settings.change_shopsettings"
LEGAL = ("terms", "privacy", "withdrawal", "shipping", "imprint")
ONLY_HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Step:
    title: str
    url: str = ""
    """Where staff do it; empty: in the environment of the shop's processes."""
    link: str = ""
    missing: list[str] = field(default_factory=list)
    """Sentences that say what must be done before the shop can open."""
    advice: list[str] = field(default_factory=list)
    """What may wait."""

    @property
    def is_done(self) -> bool:
        return not self.missing


def opening_steps() -> list[Step]:
    """Return the steps in the order in which a merchant takes them. Asks the database, no node and no mail server."""
    row = current_settings()
    return [_name(row), _seller(row), _legal_pages(), _goods(), _ways_to_pay(), _mail()]


def _said(*points: tuple[bool, str]) -> list[str]:
    return [words for is_open, words in points if is_open]


def _name(row: ShopSettings) -> Step:
    host = urlsplit(settings.PUBLIC_URL).hostname
    return Step(
        _("Name and look"),
        reverse("admin:settings_shopsettings_change", args=[ONLY]),
        _("Settings"),
        missing=_said(
            (not row.name and settings.SHOP_NAME == "Cryptons", _("The shop has no name of its own yet.")),
            (
                host in ONLY_HERE,
                _("Only this machine reaches the shop: set PUBLIC_URL to the address that buyers will use, such as https://shop.example."),
            ),
            (
                host not in ONLY_HERE and not settings.PUBLIC_URL.startswith("https:"),
                _("Buyers reach the shop without encryption: set PUBLIC_URL to an address that begins with https."),
            ),
        ),
        advice=_said(
            (not row.heading, _("The home page has the title that every new shop has.")),
            (not row.logo, _("There is no logo.")),
        ),
    )


def _seller(row: ShopSettings) -> Step:
    return Step(
        _("Who sells"),
        reverse("admin:settings_shopsettings_change", args=[ONLY]),
        _("Settings"),
        missing=_said(
            (not row.company, _("Buyers do not see who sells: the company, or your name.")),
            (not row.address, _("Buyers do not see the seller's address.")),
            (not row.email, _("Buyers have no mail address for their questions.")),
        ),
        advice=_said((not row.vat_id, _("There is no VAT id. Not every seller has one."))),
    )


def _legal_pages() -> Step:
    published = {page.slug for page in current_pages()}
    needs = [str(PAGE_KINDS[kind]) for kind in LEGAL if kind not in published]
    return Step(
        _("Legal pages"),
        reverse("admin:settings_contentpage_changelist"),
        _("Content pages"),
        missing=_said((bool(needs), _("Not published yet: %(pages)s.") % {"pages": ", ".join(needs)})),
    )


def _goods() -> Step:
    demo = Product.objects.listed().filter(sku__in=[goods.sku for goods in GOODS]).exists()
    return Step(
        _("Goods"),
        reverse("admin:shop_product_demo") if demo else reverse("admin:shop_product_changelist"),
        _("Remove the demo catalogue") if demo else _("Products"),
        missing=_said(
            (demo, _("The demo catalogue is still for sale.")),
            (not demo and not Product.objects.listed().exists(), _("There is no product for sale.")),
        ),
    )


def _ways_to_pay() -> Step:
    offered = offered_networks()
    troubled = not is_sandbox() and bool(failing_networks().intersection(offered) or unpolled_networks(offered, at=timezone.now()))
    return Step(
        _("Ways to pay"),
        reverse("admin:payments_nodes"),
        _("Nodes"),
        missing=_said(
            (is_sandbox(), _("The shop takes play money: set a node of yours, see “Take real money” in README.md.")),
            (not offered, _("No way to pay is set up: set a node of yours, see “Take real money” in README.md.")),
            (troubled, _("A node does not answer, or the worker does not ask it.")),
        ),
    )


def _mail() -> Step:
    return Step(
        _("Mails"),
        missing=_said(
            (
                settings.MAIL_SERVER is None,
                _("Mails to buyers stay on this machine: set EMAIL_URL, try it with manage.py send_test_mail."),
            ),
            (not settings.STAFF_EMAIL, _("Nobody is told of paid orders and of trouble with money: set STAFF_EMAIL.")),
        ),
    )
