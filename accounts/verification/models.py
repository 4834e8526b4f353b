"""Who is verified, the documents that buyers sent, and how much those who are not verified have ordered."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from cryptons.db import BaseModel, now_as_stored


class Verification(BaseModel):
    """How far the verification of one buyer has come. Only an approved one lifts the limits."""

    class Status(models.TextChoices):
        OPEN = "open", _("not sent yet")
        PENDING = "pending", _("waits for a decision")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected, may try again")
        REFUSED = "refused", _("refused for good")

    user = models.OneToOneField(settings.AUTH_USER_MODEL, verbose_name=_("buyer"), on_delete=models.CASCADE, related_name="verification")
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.OPEN)
    provider = models.CharField(_("provider"), max_length=20)
    applicant_id = models.CharField(_("applicant"), max_length=64, blank=True)
    """By which the provider knows the buyer."""
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    """Of a rejection, as the buyer is told."""
    submitted_at = models.DateTimeField(_("sent at"), null=True, db_index=True)
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.CharField(_("decided by"), max_length=150, blank=True)
    event_at = models.DateTimeField(null=True)
    """The time of the provider's newest event that was used: older ones are ignored."""
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        default_permissions = ("view", "change", "delete")

    def __str__(self) -> str:
        return str(self.user)


class Document(BaseModel):
    """A document that a buyer uploaded. Its content is an encrypted file (accounts.verification.documents)."""

    class Kind(models.TextChoices):
        FRONT = "front", _("Identity card or passport, front")
        BACK = "back", _("Identity card, back")
        ADDRESS = "address", _("Proof of address")

    verification = models.ForeignKey(Verification, on_delete=models.CASCADE, related_name="documents")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    content_type = models.CharField(_("file type"), max_length=20)
    size = models.PositiveIntegerField(_("size"))
    """In bytes."""
    added_at = models.DateTimeField(_("added at"), db_index=True)

    class Meta:
        verbose_name = _("identity document")
        verbose_name_plural = _("identity documents")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.get_kind_display()


class SanctionsHit(BaseModel):
    """An entry of the sanctions list that orders of one person match. Cleared by staff, it refuses none of them."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    """A keyed hash of the person and the entry."""
    entry = models.TextField(_("entry of the list"))
    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.EmailField(_("email"))
    seen_at = models.DateTimeField(_("last refused at"), db_index=True)
    cleared_at = models.DateTimeField(_("cleared at"), null=True)
    """None while it refuses orders."""
    cleared_by = models.CharField(_("cleared by"), max_length=150, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("match of the sanctions list")
        verbose_name_plural = _("matches of the sanctions list")
        default_permissions = ("view", "change", "delete")

    def __str__(self) -> str:
        return f"{self.name} – {self.entry}"[:200]


class SpendingSum(BaseModel):
    """What the orders of one account, mail address or delivery address in one day or month sum up to."""

    key = models.CharField(max_length=64, unique=True)
    """A keyed hash of whose sum it is, and of the period."""
    total_minor = models.BigIntegerField(default=0)
    ends_at = models.DateTimeField(db_index=True)
    """The end of the period."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.key


class CountedOrder(BaseModel):
    """An order that was added to sums, and to which."""

    order_id = models.UUIDField(unique=True)
    keys = models.JSONField(default=list)
    total_minor = models.BigIntegerField()
    created_at = models.DateTimeField(default=now_as_stored, db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.order_id)
