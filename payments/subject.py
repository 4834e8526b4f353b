"""Define what payments needs from the owner of an invoice: the shop, whose orders are the subjects of invoices.

Payments does not know shops. The shop implements `Subject` and registers it once, when it starts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.conf import settings

from payments.models import Invoice, Payout


@dataclass(frozen=True)
class SubjectProblem:
    """A subject that does not agree with itself or with its invoices."""

    name: str
    text: str
    """One or two sentences: what differs, and what to do."""
    at: datetime


class Subject(Protocol):
    """Every method runs inside the transaction that changes the invoice or the payout, so it only reads and writes rows."""

    def is_wanted(self, invoice: Invoice) -> bool:
        """Tell whether somebody still waits for what the invoice pays for.

        If not (the order was cancelled), all of its money may go back, and not only what was overpaid.
        """

    def buyer_id(self, invoice: Invoice) -> UUID | None:
        """Return the account of the buyer, who must not approve a large payout of this invoice; None for a guest."""

    def reserve_again(self, invoice: Invoice) -> None:
        """Reserve what the invoice pays for, because late money is about to be taken or a new quote made.

        Raises LateMoneyRefused when it can no longer be delivered (sold out, cancelled): then nothing is taken or asked for.
        """

    def on_invoice(self, invoice: Invoice, *, at: datetime) -> None:
        """Follow an invoice whose status, flags or sums have changed; it has its new values. Raises InvoiceMoved on a lost race."""

    def on_payout(self, payout: Payout, *, at: datetime) -> None:
        """Follow a payout that has changed; it has its new values. Raises PayoutMoved on a lost race."""

    def return_url(self, label: str) -> str:
        """Return where a page outside the shop sends the buyer back to, by the label of the invoice, which may not be stored yet."""

    def check(self, since: datetime, until: datetime) -> Iterable[SubjectProblem]:
        """Compare the subjects created from `since` on and before `until` with their invoices, for the reconciliation."""


class NoSubject(Subject):
    """Stand in when no app has registered: every invoice is wanted and can be delivered."""

    def is_wanted(self, invoice: Invoice) -> bool:
        return True

    def buyer_id(self, invoice: Invoice) -> UUID | None:
        return None

    def reserve_again(self, invoice: Invoice) -> None:
        pass

    def on_invoice(self, invoice: Invoice, *, at: datetime) -> None:
        pass

    def on_payout(self, payout: Payout, *, at: datetime) -> None:
        pass

    def return_url(self, label: str) -> str:
        return str(settings.PUBLIC_URL)

    def check(self, since: datetime, until: datetime) -> Iterable[SubjectProblem]:
        return ()


_registered: list[Subject] = [NoSubject()]


def register(implementation: Subject) -> None:
    """Set the implementation. The app that sells calls this once, in its AppConfig.ready."""
    _registered[:] = [implementation]


def subject() -> Subject:
    return _registered[0]
