"""MongoDB uses a partial index only when it can prove that what a query asks for is in it, and of `$type` it proves nothing.

The backend makes every unique index partial by `$type`, so that many rows may have null there: who looked for one row by its key read all.
"""

from collections.abc import Collection
from typing import Any

from django.db.models import Index, Model
from django_mongodb_backend.schema import DatabaseSchemaEditor as BackendSchemaEditor

Filter = dict[str, Any]


class DatabaseSchemaEditor(BackendSchemaEditor):  # type: ignore[misc]
    def add_index(self, model: type[Model], index: Index, *, unique: bool = False, **place: Any) -> None:
        super().add_index(model, _Provable(index) if unique else index, unique=unique, **place)


class _Provable:
    """Stands in for an index while it is made."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def get_pymongo_index_model(self, model: type[Model], *args: Any, **named: Any) -> Any:
        made = self.index.get_pymongo_index_model(model, *args, **named)  # type: ignore[attr-defined]
        if made and (partial := made.document.pop("partialFilterExpression", None)):
            nullable = {each.column for each in model._meta.local_fields if each.null}
            if kept := provable(partial, nullable):
                made.document["partialFilterExpression"] = kept
        return made


def provable(partial: Filter, nullable: Collection[str | None]) -> Filter:
    """The same rows but for nulls that cannot be: no `$type` of what is never null, and of strings that they are `""` or more."""
    kept: Filter = {}
    for column, condition in partial.items():
        if isinstance(condition, dict) and "$type" in condition:
            others = {name: value for name, value in condition.items() if name != "$type"}
            if column in nullable:
                others |= {"$gte": ""} if condition["$type"] == "string" else {"$type": condition["$type"]}
            condition = others
        if condition:
            kept[column] = condition
    return kept
