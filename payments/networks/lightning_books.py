"""What LND was paid in a span of time, read apart from what the follower hears: each checks the other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptons.money import Base
from payments.networks.base import BookEntry
from payments.networks.lnd.lightning_pb2 import Invoice, ListInvoiceRequest, ListInvoiceResponse
from payments.networks.lnd_rpc import Conversation

PAGE = 500
"""One answer may hold 4 MB: some kilobytes for each invoice."""
OPEN_FOR = timedelta(days=2)
"""LND lists invoices by when they were made. The shop's own are open for a day at most, and so are others unless their maker said more."""


def read_books(lnd: Conversation, since: datetime, until: datetime) -> Iterator[BookEntry]:
    """Invoices that were settled then, whoever made them. Source: LND `ListInvoices`, from the newest backwards."""
    offset = 0
    while True:
        request = ListInvoiceRequest(index_offset=offset, num_max_invoices=PAGE, reversed=True)
        page = lnd.call("/lnrpc.Lightning/ListInvoices", request, ListInvoiceResponse)
        for invoice in page.invoices:
            if invoice.state == Invoice.SETTLED and since <= _time(invoice.settle_date) < until:
                yield _book_entry(invoice)
        if not page.invoices or _time(page.invoices[0].creation_date) < since - OPEN_FOR:
            return
        offset = page.first_index_offset


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _book_entry(invoice: Invoice) -> BookEntry:
    payment_hash = invoice.r_hash.hex()
    return BookEntry(payment_hash, payment_hash, Base(invoice.amt_paid_msat), _time(invoice.settle_date), is_confirmed=True)
