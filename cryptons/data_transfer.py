"""Copy a shop's rows from one database to another, as lines of JSON between two processes, because each database needs its own settings.

A row keeps its key. Rows that Django numbers itself (groups, the admin's log) are matched by their names.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import models

from cryptons.audit.acting import untold
from cryptons.chunks import CHUNK, chunks

Model = type[models.Model]
Row = dict[str, Any]


@dataclass
class Tally:
    """Counts the rows of a model and sums each of its integer columns."""

    rows: int = 0
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row, numbers: Iterable[str]) -> None:
        self.rows += 1
        for name in numbers:
            self.sums[name] = self.sums.get(name, 0) + (row[name] or 0)


def keyed_models() -> list[Model]:
    """List the models whose keys are not made by the database. A model comes after those that it points to."""
    rest = [model for model in apps.get_models() if _app(model) not in ("admin", "auth", "contenttypes")]
    ordered: list[Model] = []
    while rest:
        ready = [model for model in rest if not (_pointed_to(model) - {model}) & set(rest)]
        ordered += ready
        rest = [model for model in rest if model not in ready]
    return ordered


def count_rows() -> int:
    return sum(model._default_manager.count() for model in keyed_models())


def is_empty() -> bool:
    """Return whether the database has no shop yet, not even a part of one."""
    return not any(model._default_manager.exists() for model in keyed_models())


# --- Out ------------------------------------------------------------------------------------------------------------------------


def read_lines(progress: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the whole shop, one batch of rows a line. The last line is the tally."""
    tallies: dict[str, Tally] = {}
    yield _line("groups", [{"name": group.name, "permissions": _names(group.permissions.all())} for group in Group.objects.all()])
    for model in keyed_models():
        tally = tallies[model._meta.label] = Tally()
        numbers = number_columns(model)
        for batch in _batches(model):
            for row in batch:
                tally.add(row, numbers)
            yield _line(model._meta.label, batch)
            progress(len(batch))
    yield _line("members", list(_members()))
    logged = tallies[LogEntry._meta.label] = Tally()
    for entries in chunks(_log_entries()):
        logged.rows += len(entries)
        yield _line("log", entries)
    yield _line("tally", [{"model": label, "rows": tally.rows, "sums": tally.sums} for label, tally in tallies.items()])


def number_columns(model: Model) -> list[str]:
    integers = (models.IntegerField, models.BigIntegerField)
    return [column.attname for column in model._meta.concrete_fields if isinstance(column, integers) and not column.is_relation]


def _batches(model: Model) -> Iterator[list[Row]]:
    rows = model._default_manager.order_by("pk").iterator(chunk_size=CHUNK)
    yield from chunks({column.attname: _plain(column.value_from_object(row)) for column in model._meta.concrete_fields} for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return value.name if isinstance(value, models.fields.files.FieldFile) else value


def _line(kind: str, rows: list[Row]) -> bytes:
    return orjson.dumps({"kind": kind, "rows": rows}, default=str) + b"\n"


def _names(permissions: Iterable[Permission]) -> list[list[str]]:
    return [list(permission.natural_key()) for permission in permissions]


def _members() -> Iterator[Row]:
    for user in get_user_model()._default_manager.iterator():
        groups, permissions = [group.name for group in user.groups.all()], _names(user.user_permissions.all())
        if groups or permissions:
            yield {"user": user.pk, "groups": groups, "permissions": permissions}


def _log_entries() -> Iterator[Row]:
    for entry in LogEntry.objects.order_by("action_time").select_related("content_type"):
        kept = ("action_time", "user_id", "object_id", "object_repr", "action_flag", "change_message")
        named = list(entry.content_type.natural_key()) if entry.content_type else None
        yield {name: getattr(entry, name) for name in kept} | {"content_type": named}


# --- In -------------------------------------------------------------------------------------------------------------------------


def write_line(line: bytes) -> int:
    """Write the rows of one line. Returns how many."""
    batch = orjson.loads(line)
    with untold():
        return _write_batch(batch["kind"], batch["rows"])


def _write_batch(kind: str, rows: list[Row]) -> int:
    if kind == "groups":
        for row in rows:
            Group.objects.get_or_create(name=row["name"])[0].permissions.set(_permissions(row["permissions"]))
    elif kind == "members":
        for row in rows:
            user = cast(Any, get_user_model()._default_manager.get(pk=row["user"]))
            user.groups.set(Group.objects.filter(name__in=row["groups"]))
            user.user_permissions.set(_permissions(row["permissions"]))
    elif kind == "log":
        LogEntry.objects.bulk_create(LogEntry(**{**row, "content_type": _content_type(row["content_type"])}) for row in rows)
    elif kind != "tally":
        _write_rows(apps.get_model(kind), rows)
    return len(rows)


def _write_rows(model: Model, rows: list[Row]) -> None:
    """Insert the rows unchanged: times that Django would set on each save keep their values."""
    fields = {column.attname: column for column in model._meta.concrete_fields}
    for column in fields.values():
        if isinstance(column, models.DateTimeField):
            column.auto_now = column.auto_now_add = False
    model._default_manager.bulk_create(model(**{name: _value(fields[name], value) for name, value in row.items()}) for row in rows)


def _value(column: models.Field[Any, Any], value: Any) -> Any:
    target = cast(Any, column).target_field if column.is_relation else column
    return None if value is None else target.to_python(value)


def _permissions(names: list[list[str]]) -> list[Permission]:
    return [Permission.objects.get_by_natural_key(*name) for name in names]


def _content_type(name: list[str] | None) -> ContentType | None:
    return ContentType.objects.get_by_natural_key(*name) if name else None


def differences(tally: list[Row]) -> list[str]:
    """Compare this database with the sender's tally. Returns the differences as sentences."""
    problems = []
    for sent in tally:
        model = apps.get_model(sent["model"])
        rows, numbers = model._default_manager.all(), number_columns(model)
        sums = rows.aggregate(**{name: models.Sum(name) for name in numbers}) if numbers else {}
        if rows.count() != sent["rows"]:
            problems.append(f"{sent['model']}: {sent['rows']} rows were sent, {rows.count()} arrived.")
        for name, expected in sent["sums"].items():
            if (sums[name] or 0) != expected:
                problems.append(f"{sent['model']}.{name}: the sum sent was {expected}, the sum received is {sums[name] or 0}.")
    return problems


def _app(model: Model) -> str:
    return str(model._meta.app_label)


def _pointed_to(model: Model) -> set[Any]:
    return {column.related_model for column in model._meta.concrete_fields if column.is_relation}
