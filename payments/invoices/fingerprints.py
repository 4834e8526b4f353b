"""Tell whether what buyers see of their payments has changed, for many of them at once."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.confirmations import depth
from payments.models import Cursor, Invoice, Payment, Payout
from payments.polling import is_silent

OPEN = (Invoice.Status.NEW, Invoice.Status.PROCESSING)


def fingerprint_payments(subject_ids: Collection[UUID], *, at: datetime) -> dict[UUID, list[Any]]:
    """Return for each subject with an invoice what differs when its buyer sees something else, in four queries for all of them.

    That is the versions of its invoices, whether a quote has run out, confirmations until they are final, payouts, and silent networks.
    """
    invoices = Invoice.objects.filter(subject_id__in=list(subject_ids)).order_by("created_at", "pk")
    rows = list(invoices.values_list("pk", "subject_id", "version", "status", "expires_at"))
    subjects = {pk: subject_id for pk, subject_id, *_ in rows}
    cursors = list(Cursor.objects.values_list("network", "tip_height", "answered_at"))
    silent = sorted(network for network, _, answered_at in cursors if answered_at and is_silent(answered_at, at=at))
    found: dict[UUID, list[Any]] = defaultdict(list)
    for _, subject_id, version, status, expires_at in rows:
        is_overdue = status == Invoice.Status.NEW and at >= expires_at
        found[subject_id].append((version, is_overdue, silent if status in OPEN else []))
    tips = {network: tip_height for network, tip_height, _ in cursors}
    payments = Payment.objects.filter(invoice__in=list(subjects), is_present=True, is_final=False).order_by("pk")
    for invoice_id, network, height in payments.values_list("invoice_id", "network", "height"):
        found[subjects[invoice_id]].append(depth(height, tips.get(network)))
    for invoice_id, status in Payout.objects.filter(invoice__in=list(subjects)).order_by("pk").values_list("invoice_id", "status"):
        found[subjects[invoice_id]].append(status)
    return dict(found)
