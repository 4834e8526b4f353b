"""The steps of a verification: sent, decided, decided otherwise, erased. Each is told to the audit log, and a decision to the buyer."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import User
from accounts.verification.documents import write_files
from accounts.verification.errors import VerificationMoved
from accounts.verification.gate import verification_url
from accounts.verification.models import Document, Verification
from cryptons.audit.writing import audit
from cryptons.db import atomic, in_transaction, update_if_unchanged
from cryptons.failure_isolation import isolate
from cryptons.mail.queueing import queue_mail
from cryptons.mail.staff import mail_staff

Status = Verification.Status

CAN_SEND = (Status.OPEN, Status.REJECTED)
"""When a buyer may begin, or begin again."""
DECIDED = (Status.APPROVED, Status.REJECTED, Status.REFUSED)


def verification_of(user: User) -> Verification:
    """Return the user's verification, made if there is none."""
    found = Verification.objects.filter(user=user).first()
    if found is not None:
        return found
    try:
        with atomic():
            return Verification.objects.create(user=user, provider=settings.VERIFICATION_PROVIDER)
    except IntegrityError:  # another request made it
        return Verification.objects.get(user=user)


def submit(verification: Verification, uploads: Mapping[str, tuple[bytes, str]], *, at: datetime) -> None:
    """Hand the documents to staff, in the place of earlier ones. Raises VerificationMoved."""
    rows = write_files(verification, uploads, at=at)

    def send() -> None:
        row = Verification.objects.get(pk=verification.pk)
        if row.status not in CAN_SEND or not update_if_unchanged(
            row, status=Status.PENDING, provider="manual", reason="", submitted_at=at, decided_at=None, decided_by=""
        ):
            raise VerificationMoved(_("Your documents were sent already."))
        row.documents.all().delete()
        Document.objects.bulk_create(rows)
        audit("send documents", row, {"documents": ("", str(len(rows)))})
        _mail_staff(row)

    in_transaction(send)


def decide(
    verification_id: UUID,
    status: str,
    *,
    reason: str = "",
    by: str = "",
    at: datetime,
    version: int = 0,
    event_at: datetime | None = None,
    applicant_id: str = "",
) -> None:
    """Store a decision, or another state that the provider told. `version`: as the person saw the row; `by`: empty for the provider.

    A provider's event changes nothing if it is older than the newest one, or the same, or if staff have refused the buyer for good. Raises
    VerificationMoved, DoesNotExist.
    """

    def write() -> None:
        row = Verification.objects.get(pk=verification_id)
        if event_at is not None and row.event_at is not None and event_at <= row.event_at:
            return
        if event_at is not None and row.status == Status.REFUSED and row.decided_by != row.provider:
            return
        before = row.status
        values: dict[str, Any] = {"status": status, "reason": reason[:300]}
        values |= {"decided_at": at, "decided_by": by or row.provider} if status in DECIDED else {}
        values |= {"event_at": event_at} if event_at else {}
        values |= {"applicant_id": applicant_id} if applicant_id else {}
        values |= {"submitted_at": at} if status == Status.PENDING else {}
        if (version and row.version != version) or not update_if_unchanged(row, **values):
            raise VerificationMoved(_("This verification has just changed. Please look at it again."))
        audit(f"verification {status}", row, {"status": (before, status), "reason": ("", reason), "provider": ("", row.provider)})
        if status in DECIDED and status != before:
            _mail_buyer(row)

    in_transaction(write)


def erase_old_documents(*, at: datetime) -> None:
    """Erase documents that are old enough. A buyer about whom nobody decided in time is asked to send them again."""
    old = Document.objects.filter(added_at__lt=at - timedelta(days=settings.VERIFICATION_KEEP_DAYS))
    for verification_id in {*old.values_list("verification", flat=True)}:
        with isolate("erasing documents", verification_id):
            in_transaction(partial(_erase, verification_id, at=at))


def _erase(verification_id: UUID, *, at: datetime) -> None:
    row = Verification.objects.get(pk=verification_id)
    audit("erase documents", row)
    row.documents.all().delete()
    if row.status == Status.PENDING:
        with override(row.user.language or settings.LANGUAGE_CODE):
            reason = _("Your documents were erased before they could be checked. Please send them again.")
        decide(row.pk, Status.REJECTED, reason=reason, at=at)


def _mail_buyer(row: Verification) -> None:
    if row.user.email.endswith("@localhost"):
        return
    with override(row.user.language or settings.LANGUAGE_CODE):
        queue_mail(
            f"verification:{row.pk}:{row.version}",
            to=row.user.email,
            template="accounts/mail/verification_decided",
            context={"status": row.status, "reason": row.reason, "link": verification_url()},
        )


def _mail_staff(row: Verification) -> None:
    with override(settings.LANGUAGE_CODE):
        subject, text = _("Documents wait for a decision"), _("A buyer has sent documents for the verification of their identity.")
    page = reverse("admin:verification_verification_change", args=[row.pk])
    mail_staff("verification", f"documents:{row.pk}:{row.version}", subject, text, path=page)
