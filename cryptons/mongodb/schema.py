"""Make unique indexes that MongoDB's query planner uses.

The backend (5.2) makes every unique index partial by `$type`, so that many rows may have null there. MongoDB uses a partial index
only if the query proves that its rows are in the index, and no query proves a `$type`: a search by a unique key read the whole collection.

Needless from django-mongodb-backend 6.0.4 on (INTPYTHON-855, pull request 543), which makes such indexes itself; the indexes must then be
created again.
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
    """Wraps an index while it is created."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def get_pymongo_index_model(self, model: type[Model], *args: Any, **named: Any) -> Any:
        made = self.index.get_pymongo_index_model(model, *args, **named)  # type: ignore[attr-defined]
        if made and (partial := made.document.pop("partialFilterExpression", None)):
            nullable = {column.column for column in model._meta.local_fields if column.null}
            if kept := provable(partial, nullable):
                made.document["partialFilterExpression"] = kept
        return made


def provable(partial: Filter, nullable: Collection[str | None]) -> Filter:
    """Rewrite the filter so that the planner can use it: no `$type` for columns that are never null, and `>= ""` for strings."""
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
