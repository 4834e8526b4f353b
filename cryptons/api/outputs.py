"""What the API answers, declared once: an `Output` is what a view sends and what the OpenAPI document describes."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from django.db.models import Manager
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

Read = Callable[[Any], Any]


class Output(serializers.Serializer[Any]):
    """The declared fields of a row: an object with attributes, or a dict.

    A method `read_<field>` computes the value of a field that the row does not have under that name or `source`. JSON knows how to write
    text, numbers, ids and times, so their fields only declare a type and a list of many rows stays quick; the tests hold every answer
    against these declarations.
    """

    @classmethod
    def serialize(cls, row: Any) -> dict[str, Any]:
        return {name: read(row) for name, read in _readers(cls)}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return self.serialize(instance)


@cache
def _readers(output: type[Output]) -> tuple[tuple[str, Read], ...]:
    instance = output()
    return tuple((name, _reader(instance, name, field)) for name, field in instance.fields.items())


def _reader(output: Output, name: str, field: serializers.Field[Any, Any, Any, Any]) -> Read:
    get: Read = getattr(output, f"read_{name}", None) or _getter(str(field.source))
    if isinstance(field, AmountText):
        return lambda row: field.write(get(row))
    if isinstance(field, Output):
        return _nested(get, type(field))
    if isinstance(field, serializers.ListSerializer) and isinstance(field.child, Output):
        return _nested_list(get, type(field.child))
    return get


def _getter(source: str) -> Read:
    if source == "*":
        return lambda row: row
    attribute = attrgetter(source)
    return lambda row: row[source] if isinstance(row, dict) else attribute(row)


def _nested(get: Read, output: type[Output]) -> Read:
    def read(row: Any) -> dict[str, Any] | None:
        value = get(row)
        return None if value is None else output.serialize(value)

    return read


def _nested_list(get: Read, output: type[Output]) -> Read:
    def read(row: Any) -> list[dict[str, Any]]:
        values = get(row)
        return [output.serialize(value) for value in (values.all() if isinstance(values, Manager) else values)]

    return read


DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "example": "49.99"}


@extend_schema_field(DECIMAL)
class DecimalText(serializers.CharField):
    """An amount or a rate as text: JSON's numbers are floats and lose satoshis."""


class AmountText(DecimalText):
    """A whole number of a smallest unit, written as a decimal by `write`."""

    def write(self, amount: int) -> str:
        raise NotImplementedError


class ListMeta(Output):
    page = serializers.IntegerField(allow_null=True, help_text="null for a page that was asked for by `after`")
    limit = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True, help_text="Rows on all pages; null where `page` is")
    next = serializers.CharField(allow_null=True, help_text="Sent as `after`, it gets the next page; null on the last one")
