"""Input is taken as what it says it is: text is text, a number is a number, and a name that nobody asked for is an error."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

GREATEST = 2**63 - 1


class Text(serializers.CharField):
    """A JSON string, and nothing that could be turned into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Mail(Text, serializers.EmailField):
    pass


class Whole(serializers.IntegerField):
    """A JSON whole number in 64 bits; neither `"1"` nor `1.0` nor `true`."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_value", GREATEST)
        options.setdefault("min_value", -GREATEST)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class YesNo(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Id(Text):
    """A UUID as a string. What is none cannot be anything's id: the field says so."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        return serializers.UUIDField().to_internal_value(text)


class Strict(serializers.Serializer[Any]):
    """Refuses unknown names, and anything but an object."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data if name not in self.fields)
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)
