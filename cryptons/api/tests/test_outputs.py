"""An Output serializer answers exactly the fields that it declares."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from cryptons.api.outputs import AmountText, DecimalText, Output
from cryptons.api.schema import envelope
from cryptons.api.views import success


@dataclass(frozen=True)
class Loaf:
    kind: str
    price_minor: int
    baker: "Baker | None" = None
    slices: tuple["Slice", ...] = ()


@dataclass(frozen=True)
class Baker:
    name: str


@dataclass(frozen=True)
class Slice:
    grams: int


class BakerSerializer(Output):
    name = serializers.CharField()


class SliceSerializer(Output):
    grams = serializers.IntegerField()


class CentText(AmountText):
    def write(self, amount):
        return f"{amount // 100}.{amount % 100:02d}"


class SizeSerializer(Output):
    count = serializers.IntegerField()

    def read_count(self, loaf):
        return len(loaf.slices)


class LoafSerializer(Output):
    kind = serializers.CharField()
    price = CentText(source="price_minor")
    bakerName = serializers.CharField(source="baker.name")
    baker = BakerSerializer(allow_null=True)
    slices = SliceSerializer(many=True)
    size = SizeSerializer(source="*")
    half = DecimalText()

    def read_half(self, loaf):
        return "0.5"


RYE = Loaf("rye", 350, Baker("Ada"), (Slice(40), Slice(50)))
SHOWN = {
    "kind": "rye",
    "price": "3.50",
    "bakerName": "Ada",
    "baker": {"name": "Ada"},
    "slices": [{"grams": 40}, {"grams": 50}],
    "size": {"count": 2},
    "half": "0.5",
}


def test_an_output_contains_each_declared_field_in_order():
    assert LoafSerializer.serialize(RYE) == SHOWN
    assert list(LoafSerializer.serialize(RYE)) == list(LoafSerializer().fields)


def test_rest_frameworks_own_serialization_gives_the_same_result():
    assert LoafSerializer(RYE).data == SHOWN
    assert LoafSerializer([RYE], many=True).data == [SHOWN]


def test_a_dict_can_be_serialized_as_a_row():
    assert SliceSerializer.serialize({"grams": 40, "crumbs": 7}) == {"grams": 40}


def test_a_missing_nested_object_is_null():
    class LooseSerializer(Output):
        baker = BakerSerializer(allow_null=True)

    assert LooseSerializer.serialize(Loaf("rye", 350)) == {"baker": None}


def test_a_subclass_adds_its_own_fields_to_the_output():
    class CutLoafSerializer(LoafSerializer):
        isCut = serializers.BooleanField()

        def read_isCut(self, loaf):
            return bool(loaf.slices)

    assert CutLoafSerializer.serialize(RYE) == {**SHOWN, "isCut": True}


def test_a_row_without_a_declared_field_is_an_error():
    with pytest.raises(AttributeError):
        SliceSerializer.serialize(SimpleNamespace(crumbs=7))


@pytest.mark.parametrize(
    ("many", "by_key", "name", "data"),
    [
        (False, False, "LoafAnswer", {"$ref": "#/components/schemas/Loaf"}),
        (True, False, "LoafListAnswer", {"type": "array", "items": {"$ref": "#/components/schemas/Loaf"}}),
        (False, True, "LoafMapAnswer", {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Loaf"}}),
    ],
)
def test_the_envelope_of_a_response_is_a_named_component(many, by_key, name, data):
    answer = envelope(LoafSerializer, many, by_key, None)
    assert answer is envelope(LoafSerializer, many, by_key, None)
    assert answer.__name__ == name
    assert set(answer().fields) == set(success({}).data)
    schema = AutoSchema()
    schema.view, schema.method, schema.registry = SimpleNamespace(request=RequestFactory().get("/")), "GET", _registry()
    assert schema._map_serializer_field(answer().fields["data"], "response") == data


def _registry():
    from drf_spectacular.plumbing import ComponentRegistry

    return ComponentRegistry()
