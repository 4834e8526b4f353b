"""A field of the models for a set of words."""

from collections.abc import Iterable
from typing import Any

from django.db import models


class FlagsField(models.CharField[Any, Any]):
    """A set of short words, stored sorted and comma-separated, read as a frozenset of strings."""

    def from_db_value(self, value: str | None, *_: object) -> frozenset[str] | None:
        return self.to_python(value)

    def to_python(self, value: Iterable[str] | str | None) -> frozenset[str] | None:
        if value is None:
            return None
        if isinstance(value, str):
            return frozenset(word for word in value.split(",") if word)
        return frozenset(value)

    def get_prep_value(self, value: Iterable[str] | str | None) -> str | None:
        return None if value is None else ",".join(sorted(self.to_python(value) or ()))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def clean(self, value: Any, model_instance: models.Model | None) -> frozenset[str]:
        return self.to_python(value) or frozenset()
