"""Whole tables for tests that read them after each step: with the statement kept, because Django compiles it for each call."""

from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

from cryptons.kept_sql import _row, execute

Row = TypeVar("Row", bound=models.Model)


def all_rows(model: type[Row]) -> list[Row]:
    """Read all rows, in no order."""
    if connection.vendor == "mongodb":
        return list(model._default_manager.order_by())
    return [_row(model, list(values), connection) for values in execute(_statement(model), [])[1]]


def all_columns(model: type[models.Model]) -> list[dict[str, Any]]:
    """Read all rows as dictionaries, by their keys, to see whether anything has changed."""
    return [columns(row) for row in sorted(all_rows(model), key=lambda row: row.pk)]


def columns(row: models.Model) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "_state"}


@cache
def _statement(model: type[models.Model]) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in model._meta.concrete_fields)
    return f"SELECT {columns} FROM {quote(model._meta.db_table)}"
