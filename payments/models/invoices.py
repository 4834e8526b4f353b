"""What was asked for and what was received: invoices with their options and payments."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cryptons.coins import CARD, LIGHTNING
from cryptons.db import BaseModel
from cryptons.money import format_coin
from payments.fields import FlagsField


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def overdue(self, at: datetime) -> Self:
        return self.filter(status=Invoice.Status.NEW, expires_at__lte=at)

    def touched(self) -> Self:
        """Select the invoices with facts that no verdict includes yet."""
        return self.filter(needs_settling=True)

    def to_decide(self) -> Self:
        """Select the exceptions queue: the invoices that staff must look at."""
        return self.filter(needs_decision=True)

    def of_sandbox(self) -> Self:
        """Select the invoices that were opened in the sandbox and not closed since."""
        return self.filter(is_sandbox=True, sandbox_closed_at=None)

    def for_order(self, order: str) -> Self:
        """Select the invoices of an order by its id (their subject) or its number (in their label)."""
        try:
            return self.filter(subject_id=UUID(order))
        except ValueError:
            return self.filter(label=f"order_{order}")


class Invoice(BaseModel):
    """A request for one exact fiat price, open until `expires_at`, watched until `monitor_until`, recorded for ever."""

    class Status(models.TextChoices):
        NEW = "new", _("New")
        PROCESSING = "processing", _("Processing")
        SETTLED = "settled", _("Settled")
        EXPIRED = "expired", _("Expired")
        INVALID = "invalid", _("Invalid")
        CANCELLED = "cancelled", _("Cancelled")

    subject_id = models.UUIDField(db_index=True)
    """What it is for: the shop's order. Payments knows no more of it than this id and the label."""
    label = models.CharField(_("order"), max_length=80)
    price_minor = models.BigIntegerField()
    currency = models.CharField(_("currency"), max_length=3)
    tolerance_percent = models.DecimalField(max_digits=5, decimal_places=2)
    tolerance_cap_minor = models.BigIntegerField()
    confirmations_needed = models.PositiveSmallIntegerField(_("confirmations needed"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.NEW)
    flags = FlagsField(_("flags"), max_length=80, default=frozenset, blank=True, editable=False)
    override = models.CharField(_("decision of staff"), max_length=10, blank=True)
    """What a named person decided against the facts: `settled`, `invalid`, `cancelled`, or nothing."""
    paid_seen_minor = models.BigIntegerField(default=0)
    paid_safe_minor = models.BigIntegerField(default=0)
    is_mined = models.BooleanField(default=False)
    """Something was received, and all of it is in blocks."""
    version = models.PositiveIntegerField(default=1)
    """Raised by every write of facts or verdicts. Each writer first compares it with the version that it read."""
    needs_settling = models.BooleanField(default=False)
    exceptions = FlagsField(max_length=80, default=frozenset, blank=True, editable=False)
    """Why a person should look at it (payments.invoices.staff_review.exceptions), whether somebody has or not."""
    needs_decision = models.BooleanField(default=False)
    """Staff have not decided about these exceptions yet."""
    exception_at = models.DateTimeField(null=True, blank=True)
    is_sandbox = models.BooleanField(_("play money"), default=False)
    """It was opened in the sandbox, so what was paid for it is play money, for ever."""
    sandbox_closed_at = models.DateTimeField(null=True, blank=True)
    """When it was closed because the sandbox is off."""
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    """When its newest option's quote ends."""
    monitor_until = models.DateTimeField()
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    """When it first settled; stays when a reorg takes the settlement back."""

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status", "expires_at"], name="invoice_status_expires"),
            models.Index(fields=["id"], name="invoice_touched", condition=models.Q(needs_settling=True)),
            models.Index(fields=["exception_at"], name="invoice_to_decide", condition=models.Q(needs_decision=True)),
            models.Index(fields=["id"], name="invoice_sandbox", condition=models.Q(is_sandbox=True)),
            models.Index(fields=["created_at", "id"], name="invoice_created"),
            models.Index(fields=["label"], name="invoice_label"),
        ]

    def __str__(self) -> str:
        return self.order_number

    @property
    def order_number(self) -> str:
        """What people know the order by; the label is what the nodes and their wallets have."""
        return self.label.removeprefix("order_")


class Option(BaseModel):
    """One way to pay an invoice: a network, a locked rate, an amount due, a destination."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="options")
    network = models.CharField(_("network"), max_length=10)
    destination = models.CharField(_("destination"), max_length=200)
    """Address; payment hash (BTC-LN); `address?dt=tag` (XRP); or Stripe's Checkout Session (CARD). Never used for a second option."""
    payment_request = models.TextField(blank=True)
    """What a wallet reads when it is more than the destination: the BOLT11 request; for a card, the page that charges it."""
    due_base = models.BigIntegerField()
    minor_per_coin = models.DecimalField(max_digits=24, decimal_places=8)
    """The locked rate: minor units of the invoice's currency for one coin."""
    rate_sources = models.JSONField(default=dict)
    """Each source's raw quote, kept as text."""
    quoted_at = models.DateTimeField(_("quoted at"))
    expires_at = models.DateTimeField(_("expires at"))
    """Money that was first seen later came too late for this quote."""
    wallet = models.CharField(max_length=200, blank=True)
    """The wallet on the node that issued the destination; empty where a node has no wallets."""
    is_closed = models.BooleanField(default=False)
    """The network takes no more money there; chains always do."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("payment option")
        verbose_name_plural = _("payment options")
        ordering = ["created_at"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(network=LIGHTNING, is_closed=False), name="option_open_lightning"),
            models.Index(fields=["id"], condition=models.Q(network=CARD, is_closed=False), name="option_open_card"),
        ]
        constraints = [models.UniqueConstraint(fields=["network", "destination"], name="option_destination")]

    def __str__(self) -> str:
        return f"{self.network} {self.destination}"

    @property
    def due_text(self) -> str:
        return format_coin(self.due_base, self.network)


class Payment(BaseModel):
    """Money that a node reported for a destination: the latest facts about it, and what they make of it."""

    class Status(models.TextChoices):
        SEEN = "seen", _("Seen")
        SETTLED = "settled", _("Confirmed")
        GONE = "gone", _("Gone")

    class Late(models.TextChoices):
        """What was decided about a payment that came after its quote expired."""

        UNDECIDED = "", _("Undecided")
        ACCEPTED = "accepted", _("Accepted")
        WAITING = "waiting", _("Waiting")
        """It was not accepted automatically: the buyer or staff decide."""
        SLOW = "slow", _("Accepted although slow")
        """It was slow, and was accepted after it confirmed."""

    network = models.CharField(_("network"), max_length=10)
    reference = models.CharField(_("transaction"), max_length=128)
    """`txid:vout`, payment hash, XRP transaction hash, or Stripe's PaymentIntent."""
    option = models.ForeignKey(Option, on_delete=models.PROTECT, related_name="payments")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, verbose_name=_("invoice"), related_name="payments")
    amount_base = models.BigIntegerField()
    fee_base = models.BigIntegerField(null=True, blank=True, default=0)
    """What Stripe took of it, for disputes too; null while that is not known. Coins cost the merchant nothing to receive."""
    first_seen_at = models.DateTimeField(_("first seen at"))
    """When the node first saw it, not when a worker learned of it."""
    height = models.PositiveIntegerField(_("block"), null=True, blank=True)
    """The block that holds it; null while it waits in the mempool or is gone."""
    block_hash = models.CharField(max_length=64, blank=True)
    is_present = models.BooleanField(default=True)
    """False once it was replaced, conflicted, or left both chain and mempool."""
    is_conflicted = models.BooleanField(_("double spent"), default=False)
    """Gone because other money was spent in its place."""
    is_final = models.BooleanField(_("final"), default=False)
    """So deep, or final by its network's own rules, that the node is not asked about it again."""
    is_safe = models.BooleanField(default=False)
    """The network itself calls it final (Lightning SETTLED, XRP validated), at any height."""
    settles_at_height = models.PositiveIntegerField(null=True, blank=True)
    """The tip at which it is deep enough for its invoice."""
    held_until = models.DateTimeField(null=True, blank=True)
    """How long it holds rate and stock while it is in no block; null once it was in one or is slow, and where nothing is mined."""
    is_slow = models.BooleanField(_("slow"), default=False)
    """It was in no block when its hold ended."""
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.SEEN)
    late = models.CharField(_("late"), max_length=8, choices=Late, default=Late.UNDECIDED, blank=True)
    minor_per_coin = models.DecimalField(max_digits=24, decimal_places=8, null=True, blank=True)
    """The rate at which a late payment was accepted; null for the rate of its option."""
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["first_seen_at", "id"]
        constraints = [models.UniqueConstraint(fields=["network", "reference"], name="payment_reference")]
        indexes = [
            models.Index(fields=["network", "is_safe"], condition=models.Q(is_final=False, is_present=True), name="payment_not_final"),
            models.Index(fields=["network", "status", "settles_at_height"], name="payment_settles_at"),
            models.Index(fields=["network", "held_until"], name="payment_held"),
            models.Index(fields=["first_seen_at", "id"], name="payment_first_seen"),
            models.Index(fields=["updated_at", "id"], name="payment_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.network} {self.reference}"

    @property
    def amount_text(self) -> str:
        return format_coin(self.amount_base, self.network)

    @property
    def credited_minor_per_coin(self) -> Decimal:
        """The rate at which the payment pays the price."""
        return self.minor_per_coin or self.option.minor_per_coin

    @property
    def is_accepted(self) -> bool:
        """Whether it was accepted although it was late. If it was slow after that, it must be accepted again."""
        return self.late == (self.Late.SLOW if self.is_slow else self.Late.ACCEPTED)

    @property
    def is_undecided(self) -> bool:
        return self.late == self.Late.UNDECIDED or (self.is_slow and self.late == self.Late.ACCEPTED)

    @property
    def txid(self) -> str:
        return self.reference.partition(":")[0]
