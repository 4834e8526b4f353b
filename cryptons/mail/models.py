from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel
from cryptons.encryption import EncryptedTextField


class MailQuerySet(models.QuerySet["Mail"]):
    def unsent(self) -> Self:
        """Select the mails that were not sent, also those that are not tried again."""
        return self.filter(sent_at=None)


class Mail(BaseModel):
    """Holds a mail that is sent once. Its row is written in the transaction of the change it reports; a sweep sends it.

    `key` names the occasion (`payment-confirmed:<order id>`): one occasion never makes a second mail.
    """

    key = models.CharField(_("occasion"), max_length=100, unique=True)
    to = models.EmailField(
        _("to"),
    )
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

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("mail"), _("mails")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["sent_at", "created_at"], name="mail_unsent")]

    def __str__(self) -> str:
        return f"{self.subject} → {self.to}"
