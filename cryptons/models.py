from django.db import models
from django.utils import timezone

from cryptons.db import BaseModel
from cryptons.encryption import EncryptedJSONField


class IdempotentRequest(BaseModel):
    """A POST that its sender may repeat, and its answer; written and read by cryptons/api/idempotency.py, kept for 24 hours."""

    user_id = models.UUIDField()
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    """Null until the request is answered."""
    response = EncryptedJSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "key"], name="idempotent_request_key")]

    def __str__(self) -> str:
        return self.key
