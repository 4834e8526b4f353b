"""How far each network was read, what it charges, and what staff must know of it; and the sandbox's own records."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel


class IncomingWebhook(BaseModel):
    """A signed hint that was received already: the same id again has no effect."""

    webhook_id = models.CharField(max_length=128, unique=True)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.webhook_id


class Alert(BaseModel):
    """Something that staff must know and that no invoice shows: a difference to a node's records, a payment without a tag."""

    key = models.CharField(max_length=160, unique=True)
    """Identifies the occasion, so that staff are alerted of it once."""
    text = models.TextField(_("text"))
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["closed_at", "-created_at"], name="alert_open")]

    def __str__(self) -> str:
        return self.text[:80]


class Cursor(models.Model):
    """How far a network was read, its tip then, and who reads it now (the lease)."""

    network = models.CharField(_("network"), max_length=10, primary_key=True)
    value = models.CharField(max_length=128, blank=True)
    """Last block hash, settle index or ledger index; empty before the first turn."""
    node_id = models.CharField(max_length=80, blank=True)
    tip_height = models.PositiveIntegerField(_("block"), null=True, blank=True)
    holder = models.UUIDField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    is_wanted = models.BooleanField(default=False)
    """A poll was requested during another one, which may have read too early: one more follows."""
    answered_at = models.DateTimeField(_("last answer at"), null=True, blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)
    wallets = models.JSONField(default=list)
    """The wallet in use and those in use before, as payments.networks.base.IssuingWallet has them."""
    clock_off_seconds = models.IntegerField(default=0)
    """By how much the node's clock is ahead, as its newest payments show; negative while it is behind, 0 while it is right."""

    class Meta:
        verbose_name = _("network")
        verbose_name_plural = _("networks")

    def __str__(self) -> str:
        return self.network


class Rate(models.Model):
    """The last fresh rate of a coin, kept by the worker so that every process prices alike."""

    coin = models.CharField(_("coin"), max_length=5, primary_key=True)
    currency = models.CharField(_("currency"), max_length=3)
    minor_per_coin = models.DecimalField(max_digits=24, decimal_places=8)
    sources = models.JSONField(_("sources"), default=dict)
    quoted_at = models.DateTimeField(_("quoted at"))

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")

    def __str__(self) -> str:
        return f"{self.coin} {self.minor_per_coin}"


class SandboxTransaction(BaseModel):
    """A transaction in the sandbox's chain or mempool: the simulated node's records, which only its adapter reads."""

    network = models.CharField(max_length=10)
    txid = models.CharField(max_length=64, unique=True)
    destination = models.CharField(max_length=200, db_index=True)
    amount_base = models.BigIntegerField()
    received_at = models.DateTimeField(default=timezone.now)
    height = models.PositiveIntegerField(null=True)
    mine_after = models.DateTimeField(default=timezone.now)
    """No block takes it before this."""
    fate = models.CharField(max_length=12, blank=True)
    """What the next block does to it instead of confirming it: `doubleSpend` or `reorg`."""
    is_conflicted = models.BooleanField(default=False)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)


class SandboxChain(models.Model):
    """The height of one simulated chain."""

    network = models.CharField(max_length=10, primary_key=True)
    height = models.PositiveIntegerField(default=100)
    mined_at = models.DateTimeField(default=timezone.now)
