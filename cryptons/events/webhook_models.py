"""Who is told of events, and what they were told."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel, now_as_stored
from cryptons.encryption import EncryptedTextField

URL_LENGTH = 500


class WebhookEndpoint(BaseModel):
    """An address of another program that is told of events. `cryptons.events.sending` writes what is below `busy_until`."""

    class DisabledBy(models.TextChoices):
        NOBODY = "", _("—")
        STAFF = "staff", _("Disabled by staff")
        FAILURES = "failures", _("Disabled after days of failures")
        RECEIVER = "receiver", _("The receiver answered 410 Gone")

    url = models.CharField(_("URL"), max_length=URL_LENGTH)
    description = models.CharField(_("description"), max_length=200, blank=True)
    events = models.JSONField(_("events"), default=list)
    secret = EncryptedTextField(editable=False)
    """`whsec_` and base64, as Standard Webhooks writes it."""
    old_secret = EncryptedTextField(blank=True, default="", editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    """Until then both secrets sign."""
    is_enabled = models.BooleanField(_("enabled"), default=True)
    disabled_by = models.CharField(_("state"), max_length=10, choices=DisabledBy, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=now_as_stored)
    busy_until = models.DateTimeField(null=True, editable=False)
    """Nobody else sends to it until then: a process that sends to it, or a rest after a failure."""
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("webhook endpoint"), _("webhook endpoints")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.url


class DeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def waiting(self) -> Self:
        return self.filter(status=WebhookDelivery.Status.WAITING)

    def due(self, at: datetime) -> Self:
        return self.waiting().filter(next_try_at__lte=at)


class WebhookDelivery(BaseModel):
    """One event for one endpoint, written in the event's transaction. Keys rise with time, so they are the order of sending."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")
        """It was given up after the last attempt."""

    # Without a constraint: an order must not fail because an endpoint was deleted a moment ago.
    endpoint = models.ForeignKey(
        WebhookEndpoint, verbose_name=_("webhook endpoint"), on_delete=models.CASCADE, related_name="deliveries", db_constraint=False
    )
    type = models.CharField(_("event"), max_length=40)
    subject_id = models.UUIDField(_("subject"), db_index=True)
    seq = models.PositiveBigIntegerField()
    body = models.TextField(_("body"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now, db_index=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next attempt at"), null=True, default=timezone.now)
    """Null once delivered or given up."""
    tried_at = models.DateTimeField(_("last attempt at"), null=True)
    answer_status = models.PositiveSmallIntegerField(_("answer"), null=True)
    """The HTTP status of the last attempt; null if there was none."""
    answer = models.TextField(_("body of the answer"), blank=True, default="")
    error = models.CharField(_("error"), max_length=200, blank=True, default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("webhook delivery"), _("webhook deliveries")
        default_permissions = ()  # the rights are those of the endpoint
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["endpoint", "next_try_at"], name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.type} {self.webhook_id}"

    @property
    def webhook_id(self) -> str:
        """The name by which a receiver recognises an event that it had before."""
        return f"msg_{self.pk.hex}"
