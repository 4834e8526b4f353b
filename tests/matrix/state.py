"""What the database holds, to see that a refused person has changed nothing."""

import hashlib

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db.models import Model

VOLATILE: tuple[type[Model], ...] = (Session,)
"""A page that refuses may note in the session who was there."""


def tables() -> dict[str, tuple[int, str]]:
    """Return for each table how many rows it has and one digest of all of them."""
    return {model._meta.label: _digest(model) for model in apps.get_models(include_auto_created=True) if model not in VOLATILE}


def _digest(model: type[Model]) -> tuple[int, str]:
    rows = sorted(map(repr, model._base_manager.values_list()))
    return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()
