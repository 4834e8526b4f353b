"""Statements whose SQL is kept, because Django compiles a query for each call: that costs several times as much as to run it.

They write and read what Django's own do (D86 in docs/decisions.md). MongoDB gets those.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

Row = TypeVar("Row", bound=models.Model)
Field = models.Field[Any, Any]

TEXT_OR_TRUTH: dict[type[Field], type] = {
    models.CharField: str,
    models.EmailField: str,
    models.SlugField: str,
    models.TextField: str,
    models.BooleanField: bool,
}
"""Fields of which a value of this very type goes into the database as it is."""
ON_SQLITE: dict[type[Field], type] = {
    **TEXT_OR_TRUTH,
    models.BigIntegerField: int,
    models.IntegerField: int,
    models.PositiveIntegerField: int,
    models.PositiveSmallIntegerField: int,
    models.UUIDField: UUID,
    models.DateTimeField: datetime,
}
"""The same, and what Django only writes as text: a UUID as its hexadecimal digits, a time as UTC without its zone."""


def new_row(model: type[Row], **values: Any) -> Row:
    """Make a row that is not stored yet, as the model itself does, which takes four times as long to ask each field for its value.

    A value is named as its attribute (`user_id`), or as its foreign key (`user`). No signals are sent. Raises TypeError for other names.
    """
    constants, makers, relations, names = _defaults(model)
    if not names.issuperset(values):
        raise TypeError(f"{model.__name__} has no {', '.join(sorted(values.keys() - names))}.")
    row = model.__new__(model)
    row._state = ModelState()
    attributes = row.__dict__
    attributes.update(constants)
    for name, attribute in relations:
        if name in values:
            row._state.fields_cache[name] = related = values.pop(name)
            attributes[attribute] = None if related is None else related.pk
    attributes.update(values)
    for attribute, make in makers:
        if attribute not in values:
            attributes[attribute] = make()
    return row


@cache
def _defaults(
    model: type[models.Model],
) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]], list[tuple[str, str]], frozenset[str]]:
    """Return the defaults by attribute, what makes those that each row has of its own, the foreign keys, and all names of values."""
    fields = model._meta.concrete_fields
    makers = [(field.attname, field.default) for field in fields if field.has_default() and callable(field.default)]
    constants = {field.attname: field.get_default() for field in fields if field.attname not in dict(makers)}
    relations = [(field.name, field.attname) for field in fields if field.many_to_one]
    return constants, makers, relations, frozenset([*constants, *dict(makers), *dict(relations)])


def insert(rows: Sequence[models.Model]) -> None:
    """Write new rows of one model, which have their keys, in the caller's transaction. Raises IntegrityError.

    As `bulk_create` does, and as there no signals are sent.
    """
    if not rows:
        return
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "mongodb":
        type(rows[0])._default_manager.bulk_create(rows)
        return
    sql = _insert_statement(type(rows[0]))
    values = [_values(row, database) for row in rows]
    if len(rows) == 1:
        execute(sql, values[0])
    else:
        with database.cursor() as cursor:
            cursor.executemany(sql, values)
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def find_rows(model: type[Row], keys: Collection[UUID]) -> list[Row]:
    """Read the rows with these primary keys, those that exist, in no order."""
    if not keys:
        return []
    database, key = connections[DEFAULT_DB_ALIAS], model._meta.pk
    if database.vendor == "mongodb":
        return list(model._default_manager.filter(pk__in=list(keys)))
    assert key is not None
    _, stored = execute(_select_statement(model, len(keys)), [key.get_db_prep_value(value, database) for value in keys])
    return [_row(model, list(values), database) for values in stored]


def has_row(model: type[models.Model], column: str, text: str) -> bool:
    """Return whether a row has this text in the column."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "mongodb":
        return model._default_manager.filter(**{column: text}).exists()
    return bool(execute(_exists_statement(model, column), [text])[1])


def execute(sql: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
    """Run a statement with `%s` in the places of its values. Returns how many rows it has changed, and what it has found.

    On SQLite it goes past Django's cursors, which take longer than the statement, unless somebody wants to see each statement.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "sqlite" or database.queries_logged or database.execute_wrappers:
        with database.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.rowcount, cursor.fetchall() if cursor.description else []
    if database.connection is None:
        database.ensure_connection()
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        cursor = database.connection.execute(sql.replace("%s", "?"), values)
        return cursor.rowcount, cursor.fetchall()


def _values(row: models.Model, database: BaseDatabaseWrapper) -> list[Any]:
    """Return what the columns of a new row get, as the driver takes it."""
    values = []
    for name, plain, field in _columns(type(row), database.vendor):
        value = row.__dict__[name]
        kind: object = value.__class__
        if kind is not plain or (plain is datetime and value.tzinfo is not UTC):
            value = field.get_db_prep_save(field.pre_save(row, add=True), database)
        elif plain is UUID:
            value = value.hex
        elif plain is datetime:
            value = str(value.replace(tzinfo=None))
        values.append(value)
    return values


@cache
def _columns(model: type[models.Model], vendor: str) -> list[tuple[str, type | None, Any]]:
    """List attribute, plain type (None if Django must always convert) and field of each column."""
    plain = ON_SQLITE if vendor == "sqlite" else TEXT_OR_TRUTH

    def plain_type(field: Any) -> type | None:
        return None if getattr(field, "auto_now", False) else plain.get(type(field.target_field if field.is_relation else field))

    return [(field.attname, plain_type(field), field) for field in model._meta.local_concrete_fields]


def _row(model: type[Row], values: list[Any], database: BaseDatabaseWrapper) -> Row:
    names, converters = _reading(model, database)
    for number, column, convert in converters:
        for converter in convert:
            values[number] = converter(values[number], column, database)
    return model.from_db(DEFAULT_DB_ALIAS, names, values)


def _reading(model: type[models.Model], database: BaseDatabaseWrapper) -> tuple[list[str], list[tuple[int, Any, list[Any]]]]:
    """Return the attributes of all columns, and the converters of those that need some, which each thread's connection has of its own."""
    kept: dict[type[models.Model], Any] = vars(database).setdefault("kept_sql_converters", {})
    if model not in kept:
        fields = model._meta.concrete_fields
        columns = [field.get_col(model._meta.db_table) for field in fields]
        converters = [[*database.ops.get_db_converters(column), *column.get_db_converters(database)] for column in columns]
        kept[model] = (
            [field.attname for field in fields],
            [(number, column, convert) for number, (column, convert) in enumerate(zip(columns, converters, strict=True)) if convert],
        )
    names_and_converters: tuple[list[str], list[tuple[int, Any, list[Any]]]] = kept[model]
    return names_and_converters


@lru_cache(1000)
def _select_statement(model: type[models.Model], count: int) -> str:
    meta, quote = model._meta, connection.ops.quote_name
    assert meta.pk is not None
    columns = ", ".join(quote(str(field.column)) for field in meta.concrete_fields)
    keys = ", ".join(["%s"] * count)
    return f"SELECT {columns} FROM {quote(meta.db_table)} WHERE {quote(str(meta.pk.column))} IN ({keys})"  # noqa: S608


@cache
def _exists_statement(model: type[models.Model], column: str) -> str:
    quote = connection.ops.quote_name
    return f"SELECT 1 FROM {quote(model._meta.db_table)} WHERE {quote(column)} = %s LIMIT 1"  # noqa: S608


@cache
def _insert_statement(model: type[models.Model]) -> str:
    fields, quote = model._meta.local_concrete_fields, connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608
