"""A shop's rows from one database to another, as lines of JSON between two processes: each database needs settings of its own.

A row keeps its key. What Django numbers itself (groups, the admin's log) is known by its names instead.
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

from cryptons.chunks import CHUNK, chunks

Model = type[models.Model]
Row = dict[str, Any]


@dataclass
class Tally:
    """How many rows of a model there are, and the sum of each of its columns of whole numbers."""

    rows: int = 0
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row, numbers: Iterable[str]) -> None:
        self.rows += 1
        for name in numbers:
            self.sums[name] = self.sums.get(name, 0) + (row[name] or 0)


def keyed_models() -> list[Model]:
    """All models whose rows bear keys that were not counted by the database; those that others point to come first."""
    wanted = [model for model in apps.get_models() if _app(model) not in ("admin", "auth", "contenttypes")]
    ordered: list[Model] = []
    while wanted:
        ready = [model for model in wanted if not (_pointed_to(model) - {model}) & set(wanted)]
        ordered += ready
        wanted = [model for model in wanted if model not in ready]
    return ordered


def count_rows() -> int:
    return sum(model._default_manager.count() for model in keyed_models())


def is_empty() -> bool:
    """Whether a shop may be written here: another one, or a part of one, would be mixed up with it."""
    return not any(model._default_manager.exists() for model in keyed_models())


# --- Out ------------------------------------------------------------------------------------------------------------------------


def read_lines(progress: Callable[[int], None]) -> Iterator[bytes]:
    """Everything, a batch of rows a line; the last line is the tally."""
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
    whole = (models.IntegerField, models.BigIntegerField)
    return [each.attname for each in model._meta.concrete_fields if isinstance(each, whole) and not each.is_relation]


def _batches(model: Model) -> Iterator[list[Row]]:
    rows = model._default_manager.order_by("pk").iterator(chunk_size=CHUNK)
    yield from chunks({each.attname: _plain(each.value_from_object(row)) for each in model._meta.concrete_fields} for row in rows)


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
    """Write one line's rows. Returns how many."""
    told = orjson.loads(line)
    kind, rows = told["kind"], told["rows"]
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
    """As they were: a time that is set by itself on each save is not."""
    fields = {each.attname: each for each in model._meta.concrete_fields}
    for each in fields.values():
        if isinstance(each, models.DateTimeField):
            each.auto_now = each.auto_now_add = False
    model._default_manager.bulk_create(model(**{name: _value(fields[name], value) for name, value in row.items()}) for row in rows)


def _value(column: models.Field[Any, Any], value: Any) -> Any:
    target = cast(Any, column).target_field if column.is_relation else column
    return None if value is None else target.to_python(value)


def _permissions(names: list[list[str]]) -> list[Permission]:
    return [Permission.objects.get_by_natural_key(*name) for name in names]


def _content_type(name: list[str] | None) -> ContentType | None:
    return ContentType.objects.get_by_natural_key(*name) if name else None


def differences(tally: list[Row]) -> list[str]:
    """What stands here otherwise than it was told, as sentences; none when all arrived."""
    found = []
    for told in tally:
        model = apps.get_model(told["model"])
        rows, numbers = model._default_manager.all(), number_columns(model)
        sums = rows.aggregate(**{name: models.Sum(name) for name in numbers}) if numbers else {}
        if rows.count() != told["rows"]:
            found.append(f"{told['model']}: {told['rows']} rows were sent, {rows.count()} are there.")
        for name, expected in told["sums"].items():
            if (sums[name] or 0) != expected:
                found.append(f"{told['model']}.{name}: {expected} was sent in sum, {sums[name] or 0} is there.")
    return found


def _app(model: Model) -> str:
    return str(model._meta.app_label)


def _pointed_to(model: Model) -> set[Any]:
    return {each.related_model for each in model._meta.concrete_fields if each.is_relation}
