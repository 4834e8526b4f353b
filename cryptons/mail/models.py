from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel
from cryptons.encryption import EncryptedTextField

LATE = timedelta(minutes=10)
"""A mail that waits longer has failed at least twice."""


class MailQuerySet(models.QuerySet["Mail"]):
    def unsent(self) -> Self:
        """Select the mails that were not sent, also those that are not tried again; not those that were emptied since."""
        return self.filter(sent_at=None).exclude(to="")

    def late(self, *, at: datetime) -> Self:
        return self.unsent().filter(created_at__lt=at - LATE)


class Mail(BaseModel):
    """Holds a mail that is sent once. Its row is written in the transaction of the change it reports; a sweep sends it.

    `key` names the occasion (`payment-confirmed:<order id>`): one occasion never makes a second mail.
    """

    key = models.CharField(_("occasion"), max_length=100, unique=True)
    to = models.EmailField(
        _("to"),
    )
    reply_to = models.EmailField(_("reply to"), blank=True, default="")
    """Who gets the answers; empty: the sender of all mails."""
    subject = models.CharField(_("subject"), max_length=200)
    text = EncryptedTextField(
        _("text"),
    )
    html = EncryptedTextField(
        _("HTML"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next attempt at"), null=True, default=timezone.now, db_index=True)
    """When the sweep tries next; null once sent or given up."""
    last_error = models.CharField(_("last error"), max_length=200, blank=True)
    bundle = models.CharField(max_length=20, blank=True, default="", editable=False)
    """Mails of one bundle to one address that are due together are sent as one; empty means alone."""

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("mail"), _("mails")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["sent_at", "created_at"], name="mail_unsent"),
            models.Index(fields=["bundle", "created_at"], condition=models.Q(bundle__gt=""), name="mail_bundle"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.to}"
