from typing import Self

from django.db import models
from django.utils import timezone

from cryptons.db import BaseModel


class MailQuerySet(models.QuerySet["Mail"]):
    def unsent(self) -> Self:
        """Also those that were given up."""
        return self.filter(sent_at=None)


class Mail(BaseModel):
    """A mail to be sent once. Its row is written in the transaction of what it tells about; a task or the sweep sends it.

    `key` names the occasion (`payment-confirmed:<order id>`): the same occasion never makes a second mail.
    """

    key = models.CharField(max_length=100, unique=True)
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)
    """When the sweep tries (again); null once sent or given up."""
    last_error = models.CharField(max_length=200, blank=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["sent_at", "created_at"], name="mail_unsent")]

    def __str__(self) -> str:
        return f"{self.subject} → {self.to}"
