from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordProblem
from rest_framework import serializers

from accounts.addresses import LENGTHS, NEEDED, address_problems, clean_address
from accounts.models import User
from cryptons.api.schema import ID, TEXT, Shape, needing, nullable, one_of, shape
from cryptons.api.serializers import Mail, Strict, Text

USERNAME = r"^[\w.-]+\Z"


class NewPassword(Text):
    """Long and unusual enough; `trim_whitespace` is off, since a password is what was typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=128, trim_whitespace=False, write_only=True, **options)

    def to_internal_value(self, data: Any) -> str:
        password = super().to_internal_value(data)
        try:
            validate_password(password)
        except PasswordProblem as error:
            raise serializers.ValidationError(error.messages) from error
        return password


class Address(serializers.JSONField):
    def to_internal_value(self, data: Any) -> dict[str, str]:
        problems = address_problems(data)
        if problems:
            raise serializers.ValidationError({name or "non_field_errors": [words] for name, words in problems.items()})
        return clean_address(data)


class RegisterInput(Strict):
    username = serializers.RegexField(USERNAME, min_length=3, max_length=150)
    email = Mail(max_length=254)
    password = NewPassword()

    def validate_username(self, value: Any) -> str:
        if not isinstance(self.initial_data.get("username"), str):
            raise serializers.ValidationError("Not a valid string.")
        return str(value).lower()

    def validate_email(self, value: str) -> str:
        return value.lower()


class LoginInput(Strict):
    email = Text(required=False, max_length=254)
    username = Text(required=False, max_length=254)
    password = Text(max_length=128, trim_whitespace=False)

    def validate(self, values: dict[str, str]) -> dict[str, str]:
        if not (values.get("email") or values.get("username")):
            raise serializers.ValidationError({"email": ["Give an email address or a username."]})
        return values


class RefreshInput(Strict):
    refresh = Text(max_length=4000)


class LogoutInput(Strict):
    refresh = Text(max_length=4000, required=False)


class PasswordInput(Strict):
    currentPassword = Text(max_length=128, trim_whitespace=False)  # noqa: N815
    newPassword = NewPassword()  # noqa: N815


class ProfileInput(Strict):
    firstName = Text(max_length=150, required=False, allow_blank=True)  # noqa: N815
    lastName = Text(max_length=150, required=False, allow_blank=True)  # noqa: N815
    phone = Text(max_length=40, required=False, allow_blank=True)
    address = Address(required=False, allow_null=True)


def show_user(user: User) -> dict[str, Any]:
    return {"id": str(user.pk), "username": user.username, "email": user.email, "role": user.role}


def show_profile(user: User) -> dict[str, Any]:
    profile = {"firstName": user.first_name, "lastName": user.last_name, "phone": user.phone, "address": user.address or None}
    return {**show_user(user), "profile": profile}


USER = shape(id=ID, username=TEXT, email=TEXT, role=one_of("user", "admin"))
COUNTRY: Shape = {"type": "string", "minLength": 2, "maxLength": 2}
ADDRESS = needing(*NEEDED, **dict.fromkeys(LENGTHS, TEXT), country=COUNTRY)
PROFILE = shape(**USER["properties"], profile=shape(firstName=TEXT, lastName=TEXT, phone=TEXT, address=nullable(ADDRESS)))
TOKENS = shape(token=TEXT, refresh=TEXT)
LOGGED_IN = shape(user=USER, **TOKENS["properties"])
