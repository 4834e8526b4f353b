"""The event log: everything that happened to an invoice or an order, in order. Events are never changed or deleted."""

from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from cryptons.audit.writing import audit_event
from cryptons.db import BaseModel
from cryptons.events.deliveries import queue_deliveries
from cryptons.events.stream_hints import hint_streams
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint
from cryptons.kept_sql import insert, new_row

__all__ = ["Event", "WebhookDelivery", "WebhookEndpoint", "record"]


class Event(BaseModel):
    """One event of one subject. `seq` rises with the subject's version, so replaying the log gives the stored state."""

    subject_type = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    actor = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "seq"]
        constraints = [models.UniqueConstraint(fields=["subject_id", "seq"], name="event_subject_seq")]

    def __str__(self) -> str:
        return f"{self.type} {self.subject_id}"


def record(type: str, subject_id: UUID, *, seq: int, data: dict[str, Any], actor: str = "") -> Event:
    """Write one event, and what webhooks tell of it, in the caller's transaction; open streams get a hint.

    `type` is `subject.what_happened`. A `seq` that is taken raises IntegrityError.
    """
    subject_type = type.partition(".")[0]
    event = new_row(Event, subject_type=subject_type, subject_id=subject_id, seq=seq, type=type, data=data, actor=actor)
    insert([event])
    queue_deliveries(type, subject_id, seq, data, at=event.created_at)
    hint_streams()
    if type != "order.placed":  # staff who buy are buyers
        audit_event(type, subject_id, data, actor=actor, before=lambda: _data_before(event))
    return event


def _data_before(event: Event) -> dict[str, Any]:
    """Return what the subject's event before this one said."""
    return (
        Event.objects.filter(subject_id=event.subject_id, seq__lt=event.seq).order_by("-seq").values_list("data", flat=True).first() or {}
    )
