"""Read what LND received and paid in a period, apart from the follower, so that each checks the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptons.money import Base
from payments.networks.base import NodeRecord
from payments.networks.lightning.lnd.lightning_pb2 import (
    Invoice,
    ListInvoiceRequest,
    ListInvoiceResponse,
    ListPaymentsRequest,
    ListPaymentsResponse,
    Payment,
)
from payments.networks.lightning.rpc import Conversation

RECORDS_TIMEOUT = timedelta(minutes=4)
"""Long, because only background jobs read the records."""
PAGE = 500
"""One answer may hold 4 MB: some kilobytes for each invoice."""
PAGE_OF_PAYMENTS = 100
"""A payment that went in many parts takes some ten kilobytes, one for each hop of each part."""
OPEN_FOR = timedelta(days=2)
"""LND lists invoices by when they were made. The shop's own are open for a day at most, and so are others unless their maker said more."""


def read_records(lnd: Conversation, since: datetime, until: datetime) -> Iterator[NodeRecord]:
    """Yield the invoices settled in the period, including those not made by the shop.

    Source: LND `ListInvoices`, from the newest backwards.
    """
    offset = 0
    while True:
        request = ListInvoiceRequest(index_offset=offset, num_max_invoices=PAGE, reversed=True)
        page = lnd.call("/lnrpc.Lightning/ListInvoices", request, ListInvoiceResponse)
        for invoice in page.invoices:
            if invoice.state == Invoice.SETTLED and since <= _time(invoice.settle_date) < until:
                yield _record(invoice)
        if not page.invoices or _time(page.invoices[0].creation_date) < since - OPEN_FOR:
            return
        offset = page.first_index_offset


@dataclass(frozen=True)
class Spending:
    """A payment that LND made or is making. Until it fails, the money may have left."""

    payment_hash: str
    amount_msat: Base
    """Without its fees."""
    begun_at: datetime
    is_settled: bool


def read_payments(lnd: Conversation, since: datetime, until: datetime) -> dict[str, Spending]:
    """Return the payments begun in the period, by payment hash, without failed ones. Source: LND `ListPayments`."""
    spent: dict[str, Spending] = {}
    offset = 0
    while True:
        request = ListPaymentsRequest(
            include_incomplete=True,
            index_offset=offset,
            max_payments=PAGE_OF_PAYMENTS,
            creation_date_start=max(0, int(since.timestamp())),
            creation_date_end=int(until.timestamp()) + 1,
            omit_hops=True,
        )
        page = lnd.call("/lnrpc.Lightning/ListPayments", request, ListPaymentsResponse)
        if not page.payments:
            return spent
        for payment in page.payments:
            begun_at = _EPOCH + timedelta(microseconds=payment.creation_time_ns // 1000)
            if payment.status != Payment.FAILED and since <= begun_at < until:
                is_settled = payment.status == Payment.SUCCEEDED
                spent[payment.payment_hash] = Spending(payment.payment_hash, Base(payment.value_msat), begun_at, is_settled)
        offset = page.last_index_offset


_EPOCH = datetime.fromtimestamp(0, UTC)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _record(invoice: Invoice) -> NodeRecord:
    payment_hash = invoice.r_hash.hex()
    return NodeRecord(payment_hash, payment_hash, Base(invoice.amt_paid_msat), _time(invoice.settle_date), is_confirmed=True)
