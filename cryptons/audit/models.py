"""The audit log: who did what to money, orders, products, users, rights and settings, and who logged in."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel, now_as_stored


class Entry(BaseModel):
    """One act. It is written with the change, and joined to the chain after the commit: from then on `seq`, `previous`, `digest` are set.

    Nothing changes or deletes an entry.
    """

    class Way(models.TextChoices):
        PAGE = "page", _("page")
        ADMIN = "admin", _("admin")
        API = "api", "API"
        COMMAND = "command", _("command")
        WORKER = "worker", _("worker")

    seq = models.PositiveIntegerField(_("number"), null=True, unique=True, editable=False)
    """From 1, without gaps. Null until the entry is in the chain."""
    at = models.DateTimeField(_("time"), default=now_as_stored, db_index=True)
    person_id = models.UUIDField(null=True)
    person = models.CharField(_("person"), max_length=150, blank=True, db_index=True)
    """The username then; for a command, the user of the machine."""
    address = models.CharField(_("address"), max_length=64, blank=True)
    way = models.CharField(_("way"), max_length=10, choices=Way.choices)
    action = models.CharField(_("action"), max_length=60)
    object_type = models.CharField(_("kind"), max_length=40)
    object_id = models.CharField(max_length=40, blank=True)
    object_name = models.CharField(_("object"), max_length=200, blank=True)
    changes = models.JSONField(_("changes"), default=dict)
    """`{field: [before, after]}`, all of them text. A secret is only named."""
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["object_id"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.action} {self.object_type} {self.object_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An entry of the audit log is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An entry of the audit log is never deleted.")
