"""Strict input fields of the API: no conversion between types, and an unknown field is an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cryptons.email_domain import readable_email, validate_mail_address

GREATEST = 2**63 - 1


class StrictString(serializers.CharField):
    """Takes a JSON string, and nothing that could be turned into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictEmail(StrictString, serializers.EmailField):
    """Takes a domain of any script, and returns it as people read it. Raises Django's ValidationError, too."""

    def to_internal_value(self, data: Any) -> str:
        address = readable_email(super().to_internal_value(data))
        validate_mail_address(address)
        return address


class StrictInteger(serializers.IntegerField):
    """Takes a JSON whole number of 64 bits; neither `"1"` nor `1.0` nor `true`."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_value", GREATEST)
        options.setdefault("min_value", -GREATEST)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictMoment(serializers.DateTimeField):
    """Takes a time in ISO 8601, in the shop's time zone unless it names one, and returns it in UTC, as it is stored."""

    def enforce_timezone(self, value: datetime) -> datetime:
        try:
            return super().enforce_timezone(value).astimezone(UTC)
        except OverflowError:  # some hours before the year 1 or after 9999
            self.fail("overflow")


class StrictBoolean(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "string", "format": "uuid"})
class StrictUUID(StrictString):
    """A UUID as a string."""

    _uuid = serializers.UUIDField()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.validators = []  # those of a string look for letters that a UUID cannot have

    def to_internal_value(self, data: Any) -> Any:
        return self._uuid.to_internal_value(super().to_internal_value(data))


class Input(serializers.Serializer[Any]):
    """Takes an object, and refuses unknown fields. One error tells of all that is wrong with the fields."""

    example: ClassVar[dict[str, Any] | None] = None
    """A body that is accepted, for the OpenAPI document."""
    is_kept = False
    """Whether one instance checks the bodies of all requests: its fields ask neither for the request nor for the whole body."""

    def to_internal_value(self, data: Any) -> Any:
        names = data if isinstance(data, Mapping) else ()
        unknown = {name: [_("There is no such field.")] for name in sorted(str(name) for name in names if name not in self.fields)}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            problems: Any = error.detail
            raise serializers.ValidationError({**problems, **unknown}) from error
        if unknown:
            raise serializers.ValidationError(unknown)
        return values


@cache
def kept(kind: type[Input]) -> Input:
    """Return the instance of a kept input. REST framework copies all fields for a new one, which takes longer than to check an order."""
    return kind()
