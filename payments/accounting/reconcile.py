"""Reconcile the shop's payments with the records of the nodes for a period. Changes nothing."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import sleep
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.chunks import chunks
from payments.accounting.comparison import Difference, Kind, Owner, StoredInvoice, StoredPayment, check_invoice, compare
from payments.accounting.periods import Period
from payments.errors import HistoryTooShort, NodeRejected, NodeUnavailable
from payments.invoices.assessment import received_as, terms_of
from payments.invoices.evaluation import Terms
from payments.models import Cursor, Invoice, Option, Payment, Payout
from payments.networks.base import IssuingWallet, Network, NodeRecord
from payments.networks.cursors import left_behind, wallets_in_use_before
from payments.networks.registry import networks
from payments.subject import subject

T = TypeVar("T")

EDGE = timedelta(days=1)
"""How far beyond the period both sides are read: one may date a payment shortly before its end, the other shortly after."""
YOUNG = timedelta(hours=1)
"""Differences about money this recent are checked twice, because its follower may be a moment behind."""
MOST_PAUSE = timedelta(seconds=20)

Watch = Callable[[str, int, int], None]
"""Is called with what is being done, how many are done, and how many there are."""


@dataclass(frozen=True)
class Report:
    differences: tuple[Difference, ...]
    compared: dict[str, int]
    """How many records each node has in the period."""
    unread: dict[str, str]
    """Why the records of a node could not be read."""
    left_out: tuple[str, ...] = ()
    """Sentences about what could not be checked here without anything being wrong."""

    @property
    def alarms(self) -> list[Difference]:
        return [difference for difference in self.differences if not difference.is_note]

    @property
    def notes(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.is_note]


def reconcile(period: Period, *, at: datetime, network: str = "", watch: Watch = lambda *_: None) -> Report:
    """Return every difference of the period, over all networks or one. The period must have both ends.

    A network that was asked for by name and is not offered is in `unread`.
    """
    report = _reconcile_once(period, network, watch)
    if not any(difference.at is not None and at - difference.at < YOUNG for difference in report.alarms):
        return report
    sleep(min(2 * timedelta(seconds=settings.FOLLOW_SECONDS), MOST_PAUSE).total_seconds())
    again = _reconcile_once(period, network, watch)
    keys = {difference.key for difference in report.differences}
    return replace(again, differences=tuple(difference for difference in again.differences if difference.key in keys))


def _reconcile_once(period: Period, network: str, watch: Watch) -> Report:
    offered = networks()
    differences: list[Difference] = []
    compared: dict[str, int] = {}
    unread: dict[str, str] = {}
    left_out: list[str] = []
    for code in [network] if network else offered:
        watch(f"Reading the records of {code}", 0, 1)
        differences += _former_wallets(code)
        try:
            if code not in offered:
                raise NodeRejected(_("The shop does not take this network."))
            known, entries = _read_records(offered[code], period, wallets_in_use_before(code))
        except (NodeUnavailable, NodeRejected) as error:
            unread[code] = str(error)
            continue
        if known != period:
            left_out.append(
                _("%(network)s: the node's history begins at %(time)s UTC. What was received before was not compared.")
                % {"network": code, "time": f"{known.since:%Y-%m-%d %H:%M}"}
            )
        compared[code] = sum(known.holds(entry.received_at) for entry in entries)
        differences += _compare(code, entries, known, watch)
    explained = {difference.invoice_id for difference in differences}
    differences += [difference for difference in check_invoices(period, network, watch) if difference.invoice_id not in explained]
    if not network:
        differences += _check_subjects(period)
    return Report(tuple(differences), compared, unread, tuple(left_out))


def _check_subjects(period: Period) -> list[Difference]:
    if period.since is None or period.until is None:
        raise ValueError("Records are compared for a period with a beginning and an end.")
    problems = subject().check(period.since, period.until)
    return [Difference(Kind.ORDER, "", problem.name, problem.text, problem.at) for problem in problems]


def _former_wallets(network: str) -> list[Difference]:
    """Return a difference for each wallet that is no longer in use and at which something waits."""
    cursors = Cursor.objects.filter(network=network)
    return [
        Difference(Kind.WALLET, network, waiting.wallet.name, waiting.sentence) for cursor in cursors for waiting in left_behind(cursor)
    ]


def _read_records(node: Network, period: Period, wallets: Sequence[IssuingWallet]) -> tuple[Period, list[NodeRecord]]:
    """Return the part of the period of which the node has all records, and the records, read a little beyond it."""
    if period.since is None or period.until is None:
        raise ValueError("Records are compared for a period with a beginning and an end.")
    try:
        records, known = node.records(period.since - EDGE, period.until + EDGE, wallets), period
    except HistoryTooShort as history:
        if history.begins_at >= period.until:
            raise
        records = node.records(history.begins_at, period.until + EDGE, wallets)
        known = Period(max(history.begins_at, period.since), period.until)
    return known, list({entry.reference: entry for entry in records}.values())


def _compare(network: str, entries: Collection[NodeRecord], period: Period, watch: Watch) -> list[Difference]:
    """Compare in chunks, so that years of payments need no more memory than a day."""
    differences: list[Difference] = []
    done = 0
    references: set[str] = set()
    for chunk in chunks(entries):
        payments = _stored_payments(Payment.objects.filter(network=network, reference__in=[entry.reference for entry in chunk]))
        ours = _owners_of(network, {entry.destination for entry in chunk})
        differences += compare(network, _without_change(network, chunk, ours), payments, ours, period)
        references.update(entry.reference for entry in chunk)
        done += len(chunk)
        watch(f"Comparing {network} with the node", done, len(entries))
    own = Payment.objects.filter(period.of("first_seen_at"), network=network).values_list("reference", flat=True).order_by()
    missing = [reference for reference in own.iterator() if reference not in references]
    for names in chunks(missing):
        payments = _stored_payments(Payment.objects.filter(network=network, reference__in=names))
        differences += compare(network, [], payments, {}, period)
    return differences


def _without_change(network: str, entries: list[NodeRecord], ours: Collection[str]) -> list[NodeRecord]:
    """Leave out the change of payouts, which returns to the wallet that paid them."""
    txids = {entry.reference.partition(":")[0] for entry in entries if entry.destination not in ours}
    payouts = set(Payout.objects.filter(network=network, reference__in=txids).values_list("reference", flat=True))
    return [entry for entry in entries if entry.destination in ours or entry.reference.partition(":")[0] not in payouts]


def _stored_payments(payments: Iterable[Payment]) -> list[StoredPayment]:
    rows = list(payments)
    options = Option.objects.in_bulk({row.option_id for row in rows})
    labels = dict(Invoice.objects.filter(pk__in={row.invoice_id for row in rows}).values_list("pk", "label"))
    return [
        StoredPayment(
            reference=row.reference,
            destination=options[row.option_id].destination,
            amount_base=row.amount_base,
            first_seen_at=row.first_seen_at,
            status=row.status,
            height=row.height,
            owner=Owner(row.invoice_id, labels[row.invoice_id]),
        )
        for row in rows
    ]


def _owners_of(network: str, destinations: Collection[str]) -> dict[str, Owner]:
    options = dict(Option.objects.filter(network=network, destination__in=destinations).values_list("destination", "invoice_id"))
    labels = dict(Invoice.objects.filter(pk__in=set(options.values())).values_list("pk", "label"))
    return {destination: Owner(invoice_id, labels[invoice_id]) for destination, invoice_id in options.items()}


def check_invoices(period: Period, network: str = "", watch: Watch = lambda *_: None) -> list[Difference]:
    """Check the invoices that were opened or paid in the period, except those that have not been evaluated since their last change."""
    paid = Payment.objects.filter(period.of("first_seen_at"), **({"network": network} if network else {}))
    ids: set[UUID] = set(paid.values_list("invoice_id", flat=True).order_by().iterator())
    if not network:
        ids.update(Invoice.objects.filter(period.of("created_at")).values_list("pk", flat=True).order_by().iterator())
    differences: list[Difference] = []
    done = 0
    for chunk in chunks(sorted(ids)):
        differences += _check_chunk(chunk)
        done += len(chunk)
        watch("Adding up invoices", done, len(ids))
    return differences


def _check_chunk(invoice_ids: list[UUID]) -> list[Difference]:
    """Check some invoices. One that has changed since is left to the next run, because it and its payments were not read at one moment."""
    invoices = {invoice.pk: invoice for invoice in Invoice.objects.filter(pk__in=invoice_ids, needs_settling=False)}
    rows = list(Payment.objects.filter(invoice__in=list(invoices)))
    options = Option.objects.in_bulk({row.option_id for row in rows})
    payments: dict[UUID, list[Payment]] = {}
    for row in rows:
        row.option = options[row.option_id]
        payments.setdefault(row.invoice_id, []).append(row)
    with_payouts = set(Payout.objects.filter(invoice__in=list(invoices)).values_list("invoice_id", flat=True))
    differences = [
        difference
        for pk, invoice in invoices.items()
        for difference in _check(invoice, payments.get(pk, []), terms_of(invoice, payments.get(pk, []) if pk in with_payouts else []))
    ]
    if not differences:
        return []
    versions = dict(Invoice.objects.filter(pk__in=list(invoices)).values_list("pk", "version"))
    return [
        difference
        for difference in differences
        if difference.invoice_id and versions.get(difference.invoice_id) == invoices[difference.invoice_id].version
    ]


def _check(invoice: Invoice, payments: list[Payment], terms: Terms) -> list[Difference]:
    stored = StoredInvoice(
        invoice_id=invoice.pk,
        label=invoice.label,
        currency=invoice.currency,
        status=invoice.status,
        paid_seen_minor=invoice.paid_seen_minor,
        paid_safe_minor=invoice.paid_safe_minor,
    )
    return check_invoice(stored, terms, [received_as(payment, payment.status) for payment in payments])
