"""Statements whose SQL is kept, because Django compiles a query for each call: that costs several times as much as to run it.

They write and read what Django's own do (D86 in docs/decisions.md). MongoDB gets those.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import NoneType
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

Row = TypeVar("Row", bound=models.Model)
Field = models.Field[Any, Any]

TEXT = (models.CharField, models.EmailField, models.SlugField, models.TextField)
NUMBERS = (models.BigIntegerField, models.IntegerField, models.PositiveIntegerField, models.PositiveSmallIntegerField)


class Conversions(NamedTuple):
    """The places of the columns that the driver takes in another form than a row has it."""

    uuids: list[int]
    times: list[int]
    jsons: list[int]
    others: list[int]
    """What Django converts."""


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
        _execute(database, sql, values[0])
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
    _, stored = _execute(database, _select_statement(model, len(keys)), [key.get_db_prep_value(value, database) for value in keys])
    return [_row(model, list(values), database) for values in stored]


def has_row(model: type[models.Model], column: str, text: str) -> bool:
    """Return whether a row has this text in the column."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "mongodb":
        return model._default_manager.filter(**{column: text}).exists()
    return bool(_execute(database, _exists_statement(model, column), [text])[1])


def execute(sql: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
    """Run a statement with `%s` in the places of its values. Returns how many rows it has changed, and what it has found."""
    return _execute(connections[DEFAULT_DB_ALIAS], sql, values)


def _execute(database: BaseDatabaseWrapper, sql: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
    """On SQLite it goes past Django's cursors, which take longer than the statement, unless somebody wants to see each statement."""
    if database.vendor != "sqlite" or database.execute_wrappers or database.queries_logged:
        with database.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.rowcount, cursor.fetchall() if cursor.description else []
    if database.connection is None:
        database.ensure_connection()
    database.validate_no_broken_transaction()
    try:
        cursor = database.connection.execute(sql.replace("%s", "?"), values)
        return cursor.rowcount, cursor.fetchall() if cursor.description else []
    except sqlite3.Error:
        with database.wrap_database_errors:
            raise


def _values(row: models.Model, database: BaseDatabaseWrapper) -> list[Any]:
    """Return what the columns of a new row get, as the driver takes it."""
    fields, names = _columns(type(row))
    values: list[Any] = list(map(row.__dict__.__getitem__, names))
    uuids, times, jsons, others = _conversions(type(row), tuple(map(type, values)), database.vendor)
    for place in uuids:
        values[place] = values[place].hex
    for place in times:
        at = values[place]
        values[place] = str(at.replace(tzinfo=None)) if at.tzinfo is UTC else fields[place].get_db_prep_save(at, database)
    for place in jsons:
        values[place] = json.dumps(values[place])
    for place in others:
        values[place] = fields[place].get_db_prep_save(fields[place].pre_save(row, add=True), database)
    return values


@cache
def _columns(model: type[models.Model]) -> tuple[list[Any], list[str]]:
    """Return the field of each column, and its attribute."""
    fields = model._meta.local_concrete_fields
    return list(fields), [field.attname for field in fields]


@lru_cache(1000)
def _conversions(model: type[models.Model], kinds: tuple[type, ...], vendor: str) -> Conversions:
    """Find out which columns are to be converted in a row whose values have these types.

    SQLite takes a UUID as its hexadecimal digits, a time as UTC without its zone, and numbers and NULL as they are.
    """
    found = Conversions([], [], [], [])
    for place, (field, kind) in enumerate(zip(_columns(model)[0], kinds, strict=True)):
        target: type[Field] = type(field.target_field if field.is_relation else field)
        is_set_by_django = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
        if not is_set_by_django and kind is (str if target in TEXT else bool if target is models.BooleanField else None):
            continue
        if is_set_by_django or vendor != "sqlite":
            found.others.append(place)
        elif target is models.UUIDField and kind is UUID:
            found.uuids.append(place)
        elif target is models.DateTimeField and kind is datetime:
            found.times.append(place)
        elif target is models.JSONField and kind is dict and field.encoder is None:
            found.jsons.append(place)
        elif not (
            (target in TEXT and issubclass(kind, str))
            or (target in NUMBERS and kind is int)
            or (target in (*TEXT, *NUMBERS, models.UUIDField, models.DateTimeField) and kind is NoneType)
        ):
            found.others.append(place)
    return found


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
