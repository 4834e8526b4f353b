"""The exceptions queue: everything that waits for staff, from payments to decide about to networks that do not answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from payments.alerts import exception_words
from payments.invoices.refundable import NOT_SENT_YET, NOTHING_WENT, STILL_PAYABLE
from payments.models import Alert, Cursor, Invoice, Payment, Payout
from shop.models import Order

STUCK_AFTER = timedelta(days=1)
"""A payment that was seen this long ago and is not confirmed has too low a fee, or will never confirm."""
MOST = 100
"""The most rows of each kind on the page; the oldest come first."""


@dataclass(frozen=True)
class Case:
    """One invoice, with what was paid and what it was for."""

    invoice: Invoice
    payments: Sequence[Payment]
    order: Order | None
    since: datetime
    words: str

    @property
    def missing_minor(self) -> int:
        return max(0, self.invoice.price_minor - self.invoice.paid_seen_minor)

    @property
    def over_minor(self) -> int:
        return max(0, self.invoice.paid_seen_minor - self.invoice.price_minor)

    @property
    def is_wanted(self) -> bool:
        """Return whether the order exists and is not cancelled."""
        return self.order is not None and self.order.status != Order.Status.CANCELLED

    @property
    def has_lost_money(self) -> bool:
        """Return whether a payment was taken back, by a double spend or a reorg."""
        return bool(self.invoice.exceptions & {"double_spent", "reorged"})

    @property
    def can_be_cancelled(self) -> bool:
        """Return whether staff can cancel the order because its payment was taken back; its stock is then for others."""
        return self.has_lost_money and self.order is not None and self.order.status in (Order.Status.PENDING, Order.Status.PROCESSING)

    @property
    def can_be_closed(self) -> bool:
        """Return whether staff must close the invoice before they can refund what is left of its money."""
        return self.has_lost_money and self.invoice.paid_seen_minor > 0 and self.invoice.status in STILL_PAYABLE

    @property
    def can_be_accepted(self) -> bool:
        return self.is_wanted and self.invoice.paid_seen_minor > 0 and self.invoice.status in ("new", "processing", "expired")

    @property
    def can_be_asked(self) -> bool:
        """Return whether staff can ask the buyer for the rest or for a new payment, or offer today's rate for a late one."""
        return (
            self.is_wanted and (self.invoice.paid_seen_minor > 0 or self.has_lost_money) and self.invoice.status == Invoice.Status.EXPIRED
        )

    @property
    def can_be_sent_back(self) -> bool:
        if not self.invoice.paid_seen_minor:
            return False
        if self.invoice.status == Invoice.Status.SETTLED and self.is_wanted:
            return self.over_minor > 0
        return self.invoice.status in ("settled", "expired", "cancelled", "invalid")


@dataclass(frozen=True)
class Queue:
    to_decide: list[Case] = field(default_factory=list)
    stuck: list[Case] = field(default_factory=list)
    held: list[Order] = field(default_factory=list)
    """Orders that must not ship, for reasons that no invoice above shows."""
    payouts: list[Payout] = field(default_factory=list)
    waiting: list[Payout] = field(default_factory=list)
    """Payouts that go on when staff approve, sign or send them."""
    networks: list[Cursor] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    closed: list[Alert] = field(default_factory=list)
    """Closed in the last day, so that a mistake can be undone."""

    @property
    def is_empty(self) -> bool:
        return not (self.to_decide or self.stuck or self.held or self.payouts or self.waiting or self.networks or self.alerts)


def read_queue(*, at: datetime) -> Queue:
    to_decide = _cases(Invoice.objects.to_decide().order_by("exception_at", "id"))
    stuck = [case for case in _cases(_processing(at).order_by("created_at", "id")) if _is_stuck(case, at)]
    shown = {case.invoice.subject_id for case in (*to_decide, *stuck)}
    return Queue(
        to_decide=to_decide,
        stuck=stuck,
        held=[order for order in Order.objects.on_hold().order_by("updated_at", "id")[: MOST + len(shown)] if order.pk not in shown][:MOST],
        payouts=troubled_payouts(),
        waiting=list(waiting_payouts().order_by("created_at")[:MOST]),
        networks=list(failing().order_by("failing_since")),
        alerts=list(open_alerts().order_by("created_at", "id")[:MOST]),
        closed=list(Alert.objects.filter(closed_at__gt=at - timedelta(days=1)).order_by("-closed_at")[:MOST]),
    )


def read_case(invoice_id: UUID) -> Case:
    """Read one case by its invoice. Raises Invoice.DoesNotExist."""
    cases = _cases(Invoice.objects.filter(pk=invoice_id))
    if not cases:
        raise Invoice.DoesNotExist
    return cases[0]


def troubled_payouts() -> list[Payout]:
    """List failed, unclear and blocked payouts, the oldest first.

    Leaves out failed ones that a newer payout or a waiting invoice covers.
    """
    troubled = Q(status__in=(Payout.Status.FAILED, Payout.Status.UNKNOWN)) | (Q(status__in=NOT_SENT_YET) & ~Q(blocked_by=""))
    payouts = list(Payout.objects.filter(troubled).order_by("-created_at")[:MOST])
    ids = {payout.invoice_id for payout in payouts}
    waiting = set(Invoice.objects.to_decide().filter(pk__in=ids).values_list("pk", flat=True))
    tries = Payout.objects.filter(invoice__in=ids).exclude(status__in=NOTHING_WENT).order_by("created_at")
    newest = dict(tries.values_list("invoice_id", "created_at"))

    def is_shown_elsewhere(payout: Payout) -> bool:
        return payout.invoice_id in waiting or (payout.invoice_id in newest and newest[payout.invoice_id] > payout.created_at)

    return [payout for payout in reversed(payouts) if payout.status != Payout.Status.FAILED or not is_shown_elsewhere(payout)]


def waiting_payouts() -> QuerySet[Payout]:
    """Select payouts that wait for an approval, a second person, a signature, or to be sent from another wallet."""
    to_approve = Q(status=Payout.Status.DRAFT) & ~Q(destination="")
    to_sign_or_send = Q(status=Payout.Status.APPROVED) & ~Q(psbt="", error="")
    return Payout.objects.filter(to_approve | to_sign_or_send, blocked_by="")


def failing() -> QuerySet[Cursor]:
    return Cursor.objects.filter(failing_since__isnull=False)


def open_alerts() -> QuerySet[Alert]:
    return Alert.objects.filter(closed_at=None)


def count_stuck(*, at: datetime) -> int:
    return sum(_is_stuck(case, at) for case in _cases(_processing(at)))


def _processing(at: datetime) -> QuerySet[Invoice]:
    return Invoice.objects.filter(status=Invoice.Status.PROCESSING, needs_decision=False, created_at__lte=at - STUCK_AFTER)


def _is_stuck(case: Case, at: datetime) -> bool:
    return case.since <= at - STUCK_AFTER


def _cases(invoices: QuerySet[Invoice]) -> list[Case]:
    page = list(invoices.prefetch_related("payments")[:MOST])
    orders = Order.objects.in_bulk([invoice.subject_id for invoice in page])
    return [_case(invoice, orders.get(invoice.subject_id)) for invoice in page]


def _case(invoice: Invoice, order: Order | None) -> Case:
    payments = [payment for payment in invoice.payments.all() if payment.is_present]
    last_seen_at = max((payment.first_seen_at for payment in payments), default=invoice.created_at)
    words = exception_words(invoice) or _("The payment was seen more than a day ago and is not confirmed yet.")
    return Case(invoice, payments, order, invoice.exception_at or last_seen_at, words)
