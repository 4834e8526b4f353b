"""What every model and every transaction here is built on, the same on each database."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import uuid_utils
from django.db import models, transaction


def new_id() -> UUID:
    """A UUIDv7: unique, hard to guess, and sorted by the time of its making."""
    return UUID(int=uuid_utils.uuid7().int)


def atomic() -> "transaction.Atomic":
    """One transaction: all of the block is written or none of it.

    Nested blocks join the outer one without a savepoint (not every database has them), so an error inside must leave the outermost block.
    """
    return transaction.atomic(savepoint=False)


def on_commit(act: Callable[[], Any]) -> None:
    """Do it after the transaction is written, at once when there is none. What must not be lost also needs a row that a sweep finds."""
    transaction.on_commit(act)


class BaseModel(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True
