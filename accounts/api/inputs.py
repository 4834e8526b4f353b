"""Inputs of the accounts API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordProblem
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.addresses import COUNTRIES, LENGTHS, address_problems, clean_address
from accounts.api_keys import SCOPES, network_problem
from accounts.models import User
from accounts.plain_text import text_problem
from cryptons.api.inputs import Input, StrictEmail, StrictMoment, StrictString

USERNAME = r"^[\w.-]+\Z"


def plain_text(text: str) -> None:
    if problem := text_problem(text):
        raise serializers.ValidationError(problem)


def network(text: str) -> None:
    """Refuse what is no address or network."""
    if problem := network_problem(text):
        raise serializers.ValidationError(problem)


class NewPassword(StrictString):
    """A password that the validators accept, spaces included: what was typed is the password."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=128, trim_whitespace=False, write_only=True, **options)

    def to_internal_value(self, data: Any) -> str:
        password = super().to_internal_value(data)
        try:
            validate_password(password, self._owner())
        except PasswordProblem as error:
            raise serializers.ValidationError(error.messages) from error
        return password

    def _owner(self) -> User:
        """Return the user whose password it becomes, or one with the names that come along."""
        user = self.context["request"].user
        if isinstance(user, User):
            return user
        given = self.root.initial_data
        return User(username=str(given.get("username", "")), email=str(given.get("email", "")))


class AddressSerializer(Input):
    """An address for parcels. A field without a value is left out; the country decides whether it needs `postalCode` and `region`."""

    example = {"name": "Ada Lovelace", "street": "12 Example Road", "city": "London", "postalCode": "N1 1AA", "country": "GB"}

    name = StrictString(max_length=LENGTHS["name"])
    street = StrictString(max_length=LENGTHS["street"])
    street2 = StrictString(max_length=LENGTHS["street2"], required=False, allow_blank=True)
    city = StrictString(max_length=LENGTHS["city"])
    region = StrictString(
        max_length=LENGTHS["region"], required=False, allow_blank=True, help_text="A state's code in Australia, Canada and the USA"
    )
    postalCode = StrictString(max_length=LENGTHS["postalCode"], required=False, allow_blank=True)
    country = serializers.ChoiceField(choices=sorted(COUNTRIES), help_text="ISO 3166-1 alpha-2, or XK")


@extend_schema_field(AddressSerializer)
class AddressField(serializers.JSONField):
    def to_internal_value(self, data: Any) -> dict[str, str]:
        problems = address_problems(data)
        if problems:
            raise serializers.ValidationError({name or "non_field_errors": [words] for name, words in problems.items()})
        return clean_address(data)


class RegisterInput(Input):
    example = {"username": "ada", "email": "ada@example.com", "password": "kettle-and-thread"}

    username = serializers.RegexField(USERNAME, min_length=3, max_length=150, validators=[plain_text])
    email = StrictEmail(max_length=254)
    password = NewPassword()

    def validate_username(self, value: Any) -> str:
        if not isinstance(self.initial_data.get("username"), str):
            raise serializers.ValidationError(_("Not a valid string."))
        return str(value).lower()

    def validate_email(self, value: str) -> str:
        return value.lower()


class LoginInput(Input):
    example = {"email": "ada@example.com", "password": "kettle-and-thread"}

    email = StrictString(required=False, max_length=254)
    username = StrictString(required=False, max_length=254)
    password = StrictString(max_length=128, trim_whitespace=False)
    otp = StrictString(max_length=60, required=False, help_text="A code of the app or a recovery code, for who has a second factor")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        given = getattr(self, "initial_data", None)
        if isinstance(given, Mapping) and not {"email", "username"} & given.keys():
            fields["email"].required = True
            fields["email"].error_messages["required"] = _("An email address or a username is required.")
        return fields


class RefreshInput(Input):
    example = {"refresh": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}

    refresh = StrictString(max_length=4000)


class LogoutInput(Input):
    example = {"refresh": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…"}

    refresh = StrictString(max_length=4000, required=False)


class PasswordInput(Input):
    example = {"currentPassword": "kettle-and-thread", "newPassword": "thread-and-kettle"}

    currentPassword = StrictString(max_length=128, trim_whitespace=False)
    newPassword = NewPassword()


class AddressOfAccountInput(Input):
    example = {"email": "ada@example.com"}

    email = StrictEmail(max_length=254)


class LinkKeyInput(Input):
    example = {"key": "MDFhMjFjM2U-d0k2mz-5d1f0c"}

    key = StrictString(max_length=200, help_text="What stands after `/account/link/` in the mail")


class LinkPasswordInput(LinkKeyInput):
    example = {"key": "MDFhMjFjM2U-d0k2mz-5d1f0c", "newPassword": "thread-and-kettle"}

    newPassword = StrictString(max_length=128, trim_whitespace=False, write_only=True)


class NewEmailInput(Input):
    example = {"email": "ada@example.org", "currentPassword": "kettle-and-thread"}

    email = StrictEmail(max_length=254)
    currentPassword = StrictString(max_length=128, trim_whitespace=False)

    def validate_email(self, value: str) -> str:
        return value.lower()


class ApiKeyInput(Input):
    example = {"name": "ERP", "scopes": ["products:read", "products:write"], "allowedIps": ["192.0.2.0/24"]}

    name = StrictString(max_length=100, validators=[plain_text])
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=len(SCOPES))
    expiresAt = StrictMoment(required=False, allow_null=True, help_text="Without it the key does not expire")
    allowedIps = serializers.ListField(
        child=StrictString(max_length=50, validators=[network]),
        required=False,
        max_length=50,
        help_text="Addresses and networks such as `192.0.2.0/24` from which the key is accepted; without them, any",
    )

    def validate_expiresAt(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(_("Must be in the future."))
        return value


class ProfileInput(Input):
    example = {"firstName": "Ada", "lastName": "Lovelace", "phone": "+44 20 7946 0000", "address": AddressSerializer.example}

    firstName = StrictString(max_length=150, required=False, allow_blank=True, validators=[plain_text])
    lastName = StrictString(max_length=150, required=False, allow_blank=True, validators=[plain_text])
    phone = StrictString(max_length=40, required=False, allow_blank=True, validators=[plain_text])
    address = AddressField(required=False, allow_null=True)
