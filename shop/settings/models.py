from __future__ import annotations

import re
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models
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
