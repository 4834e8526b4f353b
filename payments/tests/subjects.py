"""Subjects for tests of payments alone."""

from datetime import datetime
from uuid import UUID

from payments.errors import LateMoneyRefused
from payments.models import Invoice
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
