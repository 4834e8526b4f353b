from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from accounts.addresses import LENGTHS, address_problems, clean_address, countries
from accounts.models import User
from accounts.plain_text import validate_plain_text
from cryptons.email_field import EmailField

PASSWORD_HINT = _("At least 10 characters, not only digits, and not a common password.")
username_rule = RegexValidator(r"^[\w.-]+\Z", _("Letters, digits, dots, dashes and underscores only."))


class LoginForm(forms.Form):
    name = forms.CharField(label=_("Email or username"), max_length=254, widget=forms.TextInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label=_("Password"), strip=False, max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class RegisterForm(forms.Form):
    username = forms.CharField(
        label=_("Username"),
        min_length=3,
        max_length=150,
        validators=[username_rule, validate_plain_text],
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    email = EmailField()
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        help_text=PASSWORD_HINT,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).lower()

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        check_password(self, "password", User(username=values.get("username", ""), email=values.get("email", "")))
        return values


def check_password(form: forms.Form, field: str, user: User) -> None:
    password = form.cleaned_data.get(field)
    if password:
        try:
            validate_password(password, user)
        except ValidationError as error:
            form.add_error(field, error)


class ProfileForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ["first_name", "last_name", "phone"]
        labels = {"first_name": _("First name"), "last_name": _("Last name"), "phone": _("Phone")}


class ForgottenForm(forms.Form):
    email = EmailField()


class NewPasswordForm(forms.Form):
    """Ask for a new password only: a link from a mail stands for the current one."""

    new = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=128,
        help_text=PASSWORD_HINT,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        check_password(self, "new", self.user)
        return super().clean() or self.cleaned_data


class PasswordForm(NewPasswordForm):
    current = forms.CharField(
        label=_("Current password"), strip=False, max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    field_order = ["current"]


class EmailForm(forms.Form):
    email = EmailField(label=_("New email address"))
    current = forms.CharField(
        label=_("Current password"), strip=False, max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


SELECTED = SafeString(" selected")


class LongSelect(forms.Select):
    """A `<select>` of many options without groups, in one piece: Django renders a template for each, most of a checkout page's time."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        chosen = self.format_value(value)
        options = ((key, SELECTED if str(key) in chosen else "", label) for key, label in self.choices)
        return format_html(
            '<select name="{}"{}>{}\n</select>',
            name,
            flatatt(self.build_attrs(self.attrs, attrs)),
            format_html_join("", '\n  <option value="{}"{}>{}</option>', options),
        )


def _country_choices() -> list[tuple[str, StrOrPromise]]:
    return [("", _("Choose a country")), *countries()]


class ByCountryField(forms.CharField):
    """A text that an address needs in some countries: `accounts.addresses` knows which."""

    by_country = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)


class AddressForm(forms.Form):
    """Ask for a shipping address; `address()` returns it as accounts and orders store it."""

    name = forms.CharField(label=_("Full name"), max_length=LENGTHS["name"], widget=forms.TextInput(attrs={"autocomplete": "name"}))
    country = forms.ChoiceField(label=_("Country"), choices=_country_choices, widget=LongSelect(attrs={"autocomplete": "country"}))
    street = forms.CharField(
        label=_("Street and number"), max_length=LENGTHS["street"], widget=forms.TextInput(attrs={"autocomplete": "address-line1"})
    )
    street2 = forms.CharField(
        label=_("Flat, floor, company"), required=False, max_length=LENGTHS["street2"],
        widget=forms.TextInput(attrs={"autocomplete": "address-line2"}),
    )  # fmt: skip
    postalCode = ByCountryField(  # noqa: N815
        label=_("Postal code"), max_length=LENGTHS["postalCode"], widget=forms.TextInput(attrs={"autocomplete": "postal-code"})
    )
    city = forms.CharField(label=_("City"), max_length=LENGTHS["city"], widget=forms.TextInput(attrs={"autocomplete": "address-level2"}))
    region = ByCountryField(
        label=_("State or region"), max_length=LENGTHS["region"], widget=forms.TextInput(attrs={"autocomplete": "address-level1"})
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for name, words in address_problems({field: values[field] for field in values if field in (*LENGTHS, "country")}).items():
            if name in self.fields and name not in self.errors:
                self.add_error(name, words)
        return values

    def address(self) -> dict[str, str]:
        return clean_address({name: self.cleaned_data[name] for name in (*LENGTHS, "country")})


CODE = {"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"}


class CodeForm(forms.Form):
    """Ask for a code of the app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"), max_length=60, help_text=_("Six digits from your app, or a recovery code."), widget=forms.TextInput(attrs=CODE)
    )


class SetUpForm(forms.Form):
    password = forms.CharField(
        label=_("Password"), strip=False, max_length=128, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    code = forms.CharField(
        label=_("Code"), max_length=60, help_text=_("The six digits that your app shows now."), widget=forms.TextInput(attrs=CODE)
    )
