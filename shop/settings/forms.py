"""The form of the shop's settings: one field for each text and language of the shop."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from PIL import Image

from cryptons.email_field import EmailField
from shop.catalogue.images import UnusableImage, read_upload
from shop.settings.changes import LONGEST_TEXT, LONGEST_TITLE, SettingsMoved, clean
from shop.settings.current import stored_settings
from shop.settings.models import ShopSettings
from shop.settings.pictures import store_icon, store_logo

TEXTS = {"home_title": LONGEST_TITLE, "home_text": LONGEST_TEXT, "mail_footer": LONGEST_TEXT}
PLAIN = ("name", "accent", "accent_dark", "email", "phone", "company", "address", "register", "vat_id", "asks_for_terms")
PICTURES = gettext_lazy("JPEG, PNG, WebP or HEIC.")


def text_fields(name: str) -> list[str]:
    return [f"{name}_{language}" for language, _name in settings.LANGUAGES]


class SettingsForm(forms.ModelForm[ShopSettings]):
    seen_version = forms.IntegerField(widget=forms.HiddenInput)
    email = EmailField(required=False)
    logo_upload = forms.FileField(label=gettext_lazy("Logo"), required=False, help_text=PICTURES)
    no_logo = forms.BooleanField(label=gettext_lazy("Remove the logo"), required=False)
    favicon_upload = forms.FileField(label=gettext_lazy("Icon in the browser's tab"), required=False, help_text=PICTURES)
    no_favicon = forms.BooleanField(label=gettext_lazy("Remove the icon"), required=False)

    class Meta:
        model = ShopSettings
        fields = PLAIN
        help_texts = {
            "name": gettext_lazy("Empty: SHOP_NAME of the environment."),
            "accent": gettext_lazy("Of links, buttons and the home page, such as #0d5c52. Empty: the shop's green."),
            "accent_dark": gettext_lazy("For devices in dark mode. Empty: a lighter tone of the accent colour."),
            "register": gettext_lazy("Court or office and number, such as HRB 12345 Amtsgericht Berlin."),
            "vat_id": gettext_lazy("With the letters of the country, such as DE123456789."),
            "asks_for_terms": gettext_lazy("At the last step of the checkout. The version that they accept is kept with the order."),
            "address": gettext_lazy("Street, postal code and city, country."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pictures: dict[str, Image.Image] = {}
        self.fields["seen_version"].initial = self.instance.version
        self.fields["address"].widget.attrs["rows"] = 4
        for name in TEXTS:
            for language, _name in settings.LANGUAGES:
                self.fields[f"{name}_{language}"].initial = getattr(self.instance, name).get(language, "")

    def clean_logo_upload(self) -> None:
        self._read_picture("logo_upload")

    def clean_favicon_upload(self) -> None:
        self._read_picture("favicon_upload")

    def _read_picture(self, field: str) -> None:
        if upload := self.cleaned_data.get(field):
            try:
                self.pictures[field] = read_upload(upload)
            except UnusableImage as error:
                raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any] | None:
        values: dict[str, Any] = {name: self.cleaned_data.get(name, "") for name in PLAIN}
        for name in TEXTS:
            values[name] = {language: self.cleaned_data.get(f"{name}_{language}", "") for language, _name in settings.LANGUAGES}
        self.values, problems = clean(values)
        for name, problem in problems.items():
            field = text_fields(name)[0] if name in TEXTS else name
            if field not in self.errors:
                self.add_error(field, problem)
        if self.cleaned_data.get("seen_version") != stored_settings().version:
            raise forms.ValidationError(str(SettingsMoved()))
        return super().clean()

    def stored_values(self) -> dict[str, Any]:
        """Store the pictures, and return all values with their files' names."""
        values = dict(self.values)
        if "logo_upload" in self.pictures:
            values |= store_logo(self.pictures["logo_upload"])
        elif self.cleaned_data["no_logo"]:
            values |= {"logo": "", "logo_width": 0, "logo_height": 0}
        if "favicon_upload" in self.pictures:
            values |= store_icon(self.pictures["favicon_upload"])
        elif self.cleaned_data["no_favicon"]:
            values |= {"favicon": ""}
        return values


def form_of_languages() -> type[SettingsForm]:
    """Return the form with a field for each text in each language of the shop."""
    labels = {
        "home_title": _("Title of the home page (%(language)s)"),
        "home_text": _("Text of the home page (%(language)s)"),
        "mail_footer": _("End of each mail (%(language)s)"),
    }
    fields: dict[str, Any] = {}
    for name, longest in TEXTS.items():
        for language, words in settings.LANGUAGES:
            attributes = {"class": "vTextField"} if name == "home_title" else {"rows": 3, "cols": 80}
            widget = forms.TextInput(attributes) if name == "home_title" else forms.Textarea(attributes)
            label = labels[name] % {"language": words}
            fields[f"{name}_{language}"] = forms.CharField(label=label, required=False, max_length=longest, widget=widget)
    return type("LanguagesForm", (SettingsForm,), fields)
