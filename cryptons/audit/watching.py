"""Tell the audit log of each change that staff or a command make to the rows of a model, wherever they make it.

Django's signals say what `save`, `delete` and the sets of a many-to-many field do; `QuerySet.update` says nothing, so who calls it for
staff calls `audit` as well.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Manager, Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from cryptons.audit.acting import current_actor
from cryptons.audit.writing import as_text, audit, audit_all

SECRET = "…"  # noqa: S105  (stands for one)
ACTIONS = {"post_add": "add", "post_remove": "remove", "pre_clear": "clear"}


@dataclass(frozen=True)
class _Watch:
    fields: Collection[str]
    secret: Collection[str]
    always: Callable[[Any], bool]

    def applies(self, row: Model) -> bool:
        return current_actor().is_staff or self.always(row)


_watched: dict[type[Model], _Watch] = {}


def watch(
    model: type[Model],
    fields: Collection[str],
    *,
    secret: Collection[str] = (),
    sets: Collection[str] = (),
    always: Callable[[Any], bool] = lambda row: False,
) -> None:
    """Tell of changes of these fields and of these many-to-many `sets`. Of a `secret` field only that it changed.

    `always`: whether this row is told of even if somebody else changes it, such as a stranger who has the mail of a member of staff.
    """
    _watched[model] = _Watch((*fields, *secret), secret, always)
    pre_save.connect(_compare, sender=model, dispatch_uid=f"audit {model.__name__}")
    post_save.connect(_tell_saved, sender=model, dispatch_uid=f"audit {model.__name__}")
    post_delete.connect(_tell_deleted, sender=model, dispatch_uid=f"audit {model.__name__}")
    for name in sets:
        through = getattr(model, name).through
        m2m_changed.connect(_tell_set(model, name), sender=through, weak=False, dispatch_uid=f"audit {model.__name__}.{name}")


def _compare(sender: type[Model], instance: Any, raw: bool, update_fields: Collection[str] | None, **_: Any) -> None:
    """Note on the row what is going to change."""
    instance._audited = None
    seen = _watched[sender]
    names = [name for name in seen.fields if update_fields is None or name in update_fields]
    if raw or not names or not seen.applies(instance):
        return
    columns = {name: str(sender._meta.get_field(name).attname) for name in names}  # type: ignore[union-attr]
    before: dict[str, Any] = {}
    if not instance._state.adding:
        before = sender._base_manager.filter(pk=instance.pk).values(*columns.values()).first() or {}
    deferred = instance.get_deferred_fields()
    changes = {}
    for name, column in columns.items():
        old, new = before.get(column), None if column in deferred else getattr(instance, column)
        if column in deferred or as_text(old) == as_text(new):
            continue
        changes[name] = (SECRET if old else "", SECRET) if name in seen.secret else (old, new)
    instance._audited = changes or None


def audit_updates(rows: Iterable[tuple[Model, Mapping[str, Any]]]) -> None:
    """Tell of rows that `QuerySet.update` has changed: each as it was before, and the new values of its fields, none of them secret."""
    told = []
    for row, values in rows:
        watched, changes = _watched[type(row)], {}
        for name in watched.fields:
            column = str(row._meta.get_field(name).attname)  # type: ignore[union-attr]
            old, new = getattr(row, column), values.get(name)
            new = new.pk if isinstance(new, Model) else new
            if name in values and as_text(old) != as_text(new):
                changes[name] = (old, new)
        if changes and watched.applies(row):
            told.append((row, changes))
    audit_all("change", told)


def _tell_saved(sender: type[Model], instance: Any, created: bool, raw: bool, **_: Any) -> None:
    changes, instance._audited = getattr(instance, "_audited", None), None
    if changes:
        audit("add" if created else "change", instance, changes)


def _tell_deleted(sender: type[Model], instance: Any, **_: Any) -> None:
    if _watched[sender].applies(instance):
        audit("delete", instance)


def _tell_set(model: type[Model], name: str) -> Callable[..., None]:
    def tell(instance: Any, action: str, reverse: bool, model: type[Model], pk_set: Collection[Any] | None, **_: Any) -> None:
        if action not in ACTIONS or not (current_actor().is_staff or (not reverse and _watched[owner].always(instance))):
            return
        of_all: Manager[Any] = model._default_manager
        if action == "pre_clear":
            rows = list(getattr(instance, name).all()) if not reverse else []
        else:
            rows = list(of_all.filter(pk__in=pk_set or ()))
        names = ", ".join(sorted(_name(row) for row in rows))
        if names or (reverse and action == "pre_clear"):
            field = f"{owner._meta.model_name}s" if reverse else name
            audit("change", instance, {field: ("", names) if action == "post_add" else (names or "…", "")})

    owner = model
    return tell


def _name(row: Any) -> str:
    """Name a right as `app.act_model`, and any other row as people see it."""
    return f"{row.content_type.app_label}.{row.codename}" if hasattr(row, "codename") else str(row)
