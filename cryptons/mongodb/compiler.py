"""Put `$sort` before `$project` in the pipelines of the backend.

MongoDB sorts by an index only before a stage that computes or drops fields, and the backend (5.2) puts such a stage before each sort.
No upstream issue or version is known that makes this patch needless.
"""

from typing import Any

from django_mongodb_backend import compiler
from django_mongodb_backend.compiler import SQLAggregateCompiler, SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django_mongodb_backend.query import MongoQuery

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]

Stage = dict[str, Any]
SORTING = ("$sort", "$skip", "$limit")


class SortedQuery(MongoQuery):  # type: ignore[misc]
    extra_fields: Stage | None

    def get_pipeline(self) -> list[Stage]:
        if self.extra_fields:
            self.extra_fields = {name: value for name, value in self.extra_fields.items() if value != f"${name}"}
        stages: list[Stage] = super().get_pipeline()
        return sort_before_projecting(stages)


class SQLCompiler(compiler.SQLCompiler):  # type: ignore[misc]
    query_class = SortedQuery


def sort_before_projecting(stages: list[Stage]) -> list[Stage]:
    """Move the sort before the projection: the same rows with the same fields. A sort by a field that `$project` computes stays."""
    for index, stage in enumerate(stages[:-1]):
        if (
            "$project" in stage
            and "$sort" in stages[index + 1]
            and all(stage["$project"].get(name) == 1 for name in stages[index + 1]["$sort"])
        ):
            end = index + 1
            while end < len(stages) and next(iter(stages[end])) in SORTING:
                end += 1
            return [*stages[:index], *stages[index + 1 : end], stage, *stages[end:]]
    return stages
