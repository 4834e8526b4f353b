"""What is sent back to buyers."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cryptons.coins import CARD
from cryptons.db import BaseModel
from cryptons.money import format_coin
from payments.models.invoices import Invoice


class Payout(BaseModel):
    """A transfer that refunds a buyer: `draft → approved → sending → sent | failed | unknown`, or withdrawn while a draft."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        APPROVED = "approved", _("Approved")
        SENDING = "sending", _("Sending")
        """From here on it may have been sent: before each further try the node is asked."""
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        """The node said that nothing was sent, and nothing will be."""
        UNKNOWN = "unknown", _("Unknown")
        """It is not known yet whether it was sent."""
        WITHDRAWN = "withdrawn", _("Withdrawn")

    class Kind(models.TextChoices):
        EXCESS = "excess", _("Excess")
        LATE = "late", _("Late")
        REFUND = "refund", _("Refund")

    class BlockedBy(models.TextChoices):
        """Why a payout waits although nobody has withdrawn it."""

        COVER = "cover", _("Its money is gone")
        FEE = "fee", _("The network fee is too high")

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, verbose_name=_("invoice"), related_name="payouts")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    network = models.CharField(_("network"), max_length=10)
    destination = models.TextField(_("destination"), blank=True)
    """Address, `address?dt=tag` or BOLT11 request; empty until the buyer says where to."""
    amount_base = models.BigIntegerField()
    fee_limit_base = models.BigIntegerField(null=True, blank=True)
    attempt_before = models.BigIntegerField(default=0)
    """LND's number of the payment of this request that had failed before the payout was sent; 0 if there was none."""
    fee_base = models.BigIntegerField(null=True, blank=True)
    """What the network took for it; paid by the shop on top."""
    currency = models.CharField(max_length=3)
    value_minor = models.BigIntegerField()
    """Its worth when it was last agreed to; until then, when it was drafted."""
    minor_per_coin = models.DecimalField(max_digits=24, decimal_places=8)
    rate_sources = models.JSONField(default=dict)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    created_by = models.CharField(max_length=150)
    """A member of staff, or `buyer`."""
    author_id = models.UUIDField(null=True, blank=True)
    """The account of `created_by`, or of the member of staff who set the destination later."""
    approved_by = models.CharField(max_length=150, blank=True)
    approver_id = models.UUIDField(null=True, blank=True)
    """The account of `approved_by`: names can be changed between two approvals."""
    confirmed_by = models.CharField(max_length=150, blank=True)
    """The second person, above PAYOUT_SECOND_PERSON_ABOVE."""
    reference = models.CharField(_("transaction"), max_length=128, null=True, blank=True)  # noqa: DJ001 (unique, and many have none)
    """Transaction id or payment hash, once it is known; null until then."""
    psbt = models.TextField(blank=True)
    """What staff sign where the shop's own wallet only watches (base64)."""
    error = models.CharField(_("error"), max_length=300, blank=True)
    blocked_by = models.CharField(_("blocked by"), max_length=8, choices=BlockedBy, blank=True)
    """Why it is not sent for now: `cover` until a person decides, `fee` until fees fall or a person allows more."""
    fee_allowed_base = models.BigIntegerField(null=True, blank=True)
    """The fee that a person allowed in place of the shop's limit."""
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    """When the sweep of the payouts' queue looks (again); null while nothing is to be done."""
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["network", "reference"], name="payout_reference"),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="payout_next_try"),
            models.Index(fields=["status", "-created_at"], name="payout_status_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_text} {self.network} ({self.status})"

    @property
    def is_to_card(self) -> bool:
        """Whether Stripe refunds it to the card that paid, and not staff in another way, after the card did not take it."""
        return self.network == CARD and not (self.status == self.Status.SENT and self.fee_base is None)

    @property
    def amount_text(self) -> str:
        return format_coin(self.amount_base, self.network)
