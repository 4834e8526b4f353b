"""The shop's own settings: everybody may read them, `settings:write` may change them."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import Invalid
from cryptons.api.inputs import Input, StrictBoolean, StrictInteger, StrictString
from cryptons.api.outputs import Output
from cryptons.api.permissions import may
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from shop.settings.changes import change_settings, clean
from shop.settings.current import stored_settings
from shop.settings.models import ShopSettings

NAMES = {
    "name": "name",
    "accent": "accent",
    "accentDark": "accent_dark",
    "homeTitle": "home_title",
    "homeText": "home_text",
    "mailFooter": "mail_footer",
    "email": "email",
    "phone": "phone",
    "company": "company",
    "address": "address",
    "register": "register",
    "vatId": "vat_id",
    "asksForTerms": "asks_for_terms",
}
"""What is changed, by the name that clients use."""
COLOUR = "Empty, or # and six hexadecimal digits; on the shop's backgrounds its contrast must be 4.5 or more"


class LogoSerializer(Output):
    url = serializers.CharField(source="logo_url")
    width = serializers.IntegerField(source="logo_width")
    height = serializers.IntegerField(source="logo_height")


class SettingsSerializer(Output):
    name = serializers.CharField()
    currency = serializers.CharField()
    languages = serializers.ListField(child=serializers.CharField(), help_text="The first is the shop's own")
    logo = LogoSerializer(allow_null=True)
    favicon = serializers.CharField(allow_null=True, help_text="The address of a PNG")
    accent = serializers.CharField(help_text="Of links and buttons; empty for the shop's own")
    accentDark = serializers.CharField(source="accent_dark", help_text="The same in dark mode")
    homeTitle = serializers.DictField(child=serializers.CharField(), source="home_title", help_text="By language")
    homeText = serializers.DictField(child=serializers.CharField(), source="home_text", help_text="By language")
    mailFooter = serializers.DictField(child=serializers.CharField(), source="mail_footer", help_text="The end of each mail, by language")
    email = serializers.CharField()
    phone = serializers.CharField()
    company = serializers.CharField()
    address = serializers.CharField(help_text="The seller's, in lines")
    register = serializers.CharField()
    vatId = serializers.CharField(source="vat_id")
    asksForTerms = serializers.BooleanField(source="asks_for_terms", help_text="Whether an order needs `acceptedTerms`")
    version = serializers.IntegerField(help_text="Raised by each change")

    def read_name(self, row: ShopSettings) -> str:
        return row.name or str(settings.SHOP_NAME)

    def read_currency(self, row: ShopSettings) -> str:
        return str(settings.CURRENCY)

    def read_languages(self, row: ShopSettings) -> list[str]:
        return [code for code, _name in settings.LANGUAGES]

    def read_logo(self, row: ShopSettings) -> ShopSettings | None:
        return row if row.logo else None

    def read_favicon(self, row: ShopSettings) -> str | None:
        return row.favicon_url or None


class StrictTexts(serializers.DictField):
    child = StrictString(allow_blank=True, max_length=2000)


class SettingsInput(Input):
    example = {"name": "Kettle & Thread", "homeTitle": {"en": "Tea, and all it needs"}, "version": 3}

    name = StrictString(max_length=100, allow_blank=True, required=False, help_text="Empty: SHOP_NAME of the environment")
    accent = StrictString(max_length=7, allow_blank=True, required=False, help_text=COLOUR)
    accentDark = StrictString(max_length=7, allow_blank=True, required=False, help_text=COLOUR)
    homeTitle = StrictTexts(required=False, help_text="By language; replaces all of them, as the next two do")
    homeText = StrictTexts(required=False)
    mailFooter = StrictTexts(required=False)
    email = StrictString(max_length=254, allow_blank=True, required=False)
    phone = StrictString(max_length=40, allow_blank=True, required=False)
    company = StrictString(max_length=160, allow_blank=True, required=False)
    address = StrictString(max_length=400, allow_blank=True, required=False)
    register = StrictString(max_length=160, allow_blank=True, required=False)
    vatId = StrictString(max_length=20, allow_blank=True, required=False)
    asksForTerms = StrictBoolean(required=False, help_text="Needs a published page `terms`")
    version = StrictInteger(min_value=0, required=False, help_text="With it, a change that somebody made since then is a 409")


class ShopSettingsView(ApiView):
    def get_permissions(self) -> list[Any]:
        return [may("settings:write")()] if self.request.method == "PATCH" else []

    @describe("Get the shop's settings", data=SettingsSerializer, cached=True)
    def get(self, request: Request) -> Response:
        return success(SettingsSerializer.serialize(stored_settings()))

    @describe("Change the shop's settings", data=SettingsSerializer, body=SettingsInput, errors=[409, 415], scope="settings:write")
    def patch(self, request: Request) -> Response:
        """Changes show at once on pages, in the API and in mails. Logo and icon are changed in the admin."""
        sent = self.valid(SettingsInput)
        version = sent.pop("version", None)
        values, problems = clean({NAMES[name]: value for name, value in sent.items()})
        if problems:
            written = {field: name for name, field in NAMES.items()}
            raise Invalid.fields({written[field]: problem for field, problem in problems.items()})
        if not values:
            raise Invalid.fields({"body": _("Name a field to change.")})
        return success(SettingsSerializer.serialize(change_settings(values, version=version)))
