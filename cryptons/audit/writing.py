"""Write an entry of the audit log, in the caller's transaction, and join it to the chain after the commit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model

from cryptons.audit.acting import Actor, current_actor, is_untold
from cryptons.audit.chain import seal
from cryptons.audit.models import Entry
from cryptons.db import atomic, on_commit

LONGEST = 300
Changes = Mapping[str, tuple[Any, Any]]


def audit(action: str, row: Model | None = None, changes: Changes | None = None, *, actor: Actor | None = None) -> None:
    """Write that the person who acts now did this to the row. `changes` has each field's value before and after."""
    if row is None:
        write(action, changes=changes, actor=actor)
    else:
        write(action, str(row._meta.model_name), str(row.pk), str(row), changes, actor=actor)


def write(
    action: str, kind: str = "", object_id: str = "", name: str = "", changes: Changes | None = None, *, actor: Actor | None = None
) -> None:
    _store([_entry(action, kind, object_id, name, changes, actor or current_actor())])


def audit_all(action: str, changed: Iterable[tuple[Model, Changes]]) -> None:
    """Write that the person who acts now did this to each of the rows, with one statement for all."""
    who = current_actor()
    _store([_entry(action, str(row._meta.model_name), str(row.pk), str(row), changes, who) for row, changes in changed])


def _entry(action: str, kind: str, object_id: str, name: str, changes: Changes | None, who: Actor) -> Entry:
    told = {field: [as_text(before), as_text(after)] for field, (before, after) in (changes or {}).items()}
    if who.command:
        told["command"] = ["", who.command]
    return Entry(
        person_id=who.person_id,
        person=_short(who.name, 150),
        address=who.address,
        way=who.way,
        action=action,
        object_type=kind,
        object_id=object_id,
        object_name=_short(name, 200),
        changes=told,
    )


def _store(entries: Sequence[Entry]) -> None:
    if is_untold() or not entries:
        return
    with atomic():
        Entry.objects.bulk_create(entries)
        on_commit(seal)


def audit_event(event: str, subject_id: UUID, data: Mapping[str, Any], *, actor: str, before: Callable[[], Mapping[str, Any]]) -> None:
    """Write an event of an order, an invoice or a payout if staff made it; of a payout, which is money that leaves, always.

    `before` reads what the event before it said.
    """
    kind = event.partition(".")[0]
    if kind != "payout" and not actor:
        return
    who = current_actor()
    if kind != "payout" and not who.is_staff:
        return
    if not who.name:
        who = Actor(who.way, None, actor, who.address)
    old = before()
    changes = {name: (old.get(name), value) for name, value in data.items() if old.get(name) != value}
    write(event, kind, str(subject_id), _name_of(kind, subject_id), changes, actor=who)


def _name_of(kind: str, pk: UUID) -> str:
    model = next((model for model in apps.get_models() if model._meta.model_name == kind), None)
    return str(model._base_manager.filter(pk=pk).first() or "") if model else ""


def as_text(value: Any) -> str:
    return "" if value is None else _short(str(value), LONGEST)


def _short(text: str, most: int) -> str:
    text = text.replace("\0", "")
    return text if len(text) <= most else text[: most - 1] + "…"
