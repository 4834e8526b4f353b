"""Subjects and jobs for tests of payments alone."""

from datetime import datetime
from uuid import UUID

from payments.errors import LateMoneyRefused
from payments.jobs import NoJobs
from payments.models import Invoice, Payout
from payments.subject import NoSubject


class RecordingSubject(NoSubject):
    """Notes what it is told, and refuses when it is told to."""

    def __init__(self, *, refusal: str = "", failure: Exception | None = None) -> None:
        self.refusal, self.failure = refusal, failure
        self.asked: list[UUID] = []
        self.verdicts: list[tuple[str, frozenset[str]]] = []

    def reserve_again(self, invoice: Invoice) -> None:
        self.asked.append(invoice.pk)
        if self.refusal:
            raise LateMoneyRefused(self.refusal)

    def on_invoice(self, invoice: Invoice, *, at: datetime) -> None:
        self.verdicts.append((invoice.status, invoice.flags))
        if self.failure:
            raise self.failure


class PunctualSubject(NoSubject):
    """Insists on the time of each step of a payout."""

    def __init__(self, since: datetime) -> None:
        self.since = since

    def on_payout(self, payout: Payout, *, at: datetime) -> None:
        assert at >= self.since


class RecordingJobs(NoJobs):
    """Notes which jobs are queued; does none."""

    def __init__(self) -> None:
        self.closed: list[UUID] = []
        self.sent: list[UUID] = []

    def close_options(self, invoice_id: UUID) -> None:
        self.closed.append(invoice_id)

    def send_payout(self, payout_id: UUID) -> None:
        self.sent.append(payout_id)
