from __future__ import annotations

import re
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel
from shop.settings.colours import colour_styles

ONLY = UUID("00000000-0000-4000-8000-000000000001")
"""The id of the one row."""


class ShopSettings(BaseModel):
    """What the merchant says of the shop. One row, stored by the first change; an empty field means what the environment says."""

    id = models.UUIDField(primary_key=True, default=ONLY, editable=False)
    name = models.CharField(_("shop name"), max_length=100, blank=True)
    logo = models.CharField(_("logo"), max_length=100, blank=True, editable=False)
    """The file's name in the storage, as `favicon` is."""
    logo_width = models.PositiveIntegerField(default=0, editable=False)
    logo_height = models.PositiveIntegerField(default=0, editable=False)
    favicon = models.CharField(_("icon"), max_length=100, blank=True, editable=False)
    accent = models.CharField(_("accent colour"), max_length=7, blank=True)
    accent_dark = models.CharField(_("accent colour in dark mode"), max_length=7, blank=True)
    home_title = models.JSONField(_("title of the home page"), default=dict, blank=True)
    """A text by language, as the next two."""
    home_text = models.JSONField(_("text of the home page"), default=dict, blank=True)
    mail_footer = models.JSONField(_("end of each mail"), default=dict, blank=True)
    email = models.EmailField(_("email"), blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    company = models.CharField(_("company"), max_length=160, blank=True)
    address = models.TextField(_("address"), max_length=400, blank=True)
    register = models.CharField(_("register"), max_length=160, blank=True)
    vat_id = models.CharField(_("VAT id"), max_length=20, blank=True)
    asks_for_terms = models.BooleanField(_("buyers must accept the terms"), default=False)
    """Only set while the page of the terms is published."""
    version = models.PositiveIntegerField(default=0, editable=False)
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("shop settings")
        verbose_name_plural = _("shop settings")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    @property
    def logo_url(self) -> str:
        return default_storage.url(self.logo) if self.logo else ""

    @property
    def favicon_url(self) -> str:
        return default_storage.url(self.favicon) if self.favicon else ""

    @property
    def styles(self) -> SafeString:
        return mark_safe(colour_styles(self.accent, self.accent_dark))  # noqa: S308  (its colours are checked hex numbers)

    @property
    def heading(self) -> str:
        return in_language(self.home_title)

    @property
    def welcome(self) -> str:
        return in_language(self.home_text)

    @property
    def footer_of_mails(self) -> str:
        return in_language(self.mail_footer) or "\n".join(self.seller_lines)

    @property
    def phone_digits(self) -> str:
        """The number as an address `tel:` has it."""
        return re.sub(r"[^0-9+]", "", self.phone)

    @property
    def address_lines(self) -> list[str]:
        return [line.strip() for line in self.address.splitlines() if line.strip()]

    @property
    def seller_lines(self) -> list[str]:
        """The seller in the order in which it is printed; nothing until the merchant has said who sells."""
        return [line for line in (self.company, *self.address_lines, self.register, self.vat_id) if line]


def in_language(texts: dict[str, str]) -> str:
    """Return the text in the active language, or else in the shop's first one."""
    return texts.get(get_language() or "") or texts.get(settings.LANGUAGE_CODE) or ""


PAGE_KINDS = {
    "terms": _("Terms and conditions"),
    "privacy": _("Privacy policy"),
    "withdrawal": _("Withdrawal and returns"),
    "shipping": _("Shipping"),
    "imprint": _("Imprint"),
    "contact": _("Contact"),
}
"""The pages that a shop has once, by the slug of their address. All other slugs are free."""


class PageText:
    """A page's words: by language its title and its text in Markdown."""

    texts: dict[str, dict[str, str]]

    @property
    def language(self) -> str:
        """The language in which the page is shown: the active one, or else the shop's first one, or else one that there is."""
        languages = [get_language() or "", settings.LANGUAGE_CODE, *sorted(self.texts)]
        return next((language for language in languages if language in self.texts), settings.LANGUAGE_CODE)

    @property
    def title(self) -> str:
        return self.texts.get(self.language, {}).get("title", "")

    @property
    def text(self) -> str:
        return self.texts.get(self.language, {}).get("text", "")


class ContentPage(PageText, BaseModel):
    """A page of the merchant's own words. `texts` is the draft, which nobody but staff sees; what is shown is a version of it."""

    slug = models.SlugField(_("slug"), max_length=80, unique=True, allow_unicode=True)
    texts = models.JSONField(_("draft"), default=dict, blank=True)
    published = models.PositiveIntegerField(_("published version"), null=True, editable=False)
    """The number of the version that is shown; None hides the page."""
    in_footer = models.BooleanField(_("in the footer"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    version = models.PositiveIntegerField(default=1, editable=False)
    """Of this row, raised by each change."""
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("content page")
        verbose_name_plural = _("content pages")
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.title or self.slug

    def get_absolute_url(self) -> str:
        return reverse("shop:page", args=[self.slug])


class PageVersion(PageText, BaseModel):
    """What a page said when it was published. It is never changed, nor deleted: orders name the version that their buyer accepted."""

    page = models.ForeignKey(ContentPage, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    texts = models.JSONField(default=dict)
    published_at = models.DateTimeField(_("published at"), default=timezone.now)
    published_by = models.CharField(_("published by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("version of a page")
        verbose_name_plural = _("versions of pages")
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["page", "number"], name="page_version_once")]

    def __str__(self) -> str:
        return f"{self.title} ({self.number})"
