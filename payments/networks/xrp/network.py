"""XRP through a server of the XRP Ledger. Speaks rippled's JSON-RPC; amounts leave here as drops.

All buyers pay to one account: what tells them apart is the destination tag, a number of 32 bits that each option has for itself.
"""

import hashlib
import logging
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from xrpl.models.requests import AccountTx

from cryptons.coins import XRP
from payments.errors import HistoryTooShort, NodeRejected, NodeUnavailable
from payments.models import Cursor, Option
from payments.networks.base import (
    CursorState,
    Destination,
    DestinationRequest,
    Fact,
    FactPage,
    IssuingWallet,
    NodeHealth,
    NodeRecord,
    taken_over,
)
from payments.networks.json_rpc import RpcError
from payments.networks.payment_uri import split_destination
from payments.networks.reading import NOT_UNDERSTOOD, reading
from payments.networks.xrp.ledger import Account, Entry, Server, read_account, read_close_time, read_server, tagged
from payments.networks.xrp.rpc import Conversation, open_xrp

logger = logging.getLogger(__name__)

TURN = timedelta(seconds=20)
RECORDS_TIMEOUT = timedelta(minutes=4)
UNHURRIED, MOST_AT_ONCE = timedelta(seconds=10), 5000
"""With less time left, or with so many transactions read, a turn leaves the pages that remain to the next one."""
PAGE_SIZE = 400
"""The largest page that a public rippled server returns."""
MOST_TAG = 2**32 - 1
FORMER = timedelta(days=45)
"""How long an account that is no longer in use is read: an invoice is watched for a month after it expires."""
CLOCKS = timedelta(minutes=1)
"""How far the ledger's clock and ours may be apart."""
OUT_OF_RANGE = ("lgrIdxMalformed", "lgrIdxsInvalid", "invalidLgrRange")


class XrpNetwork:
    code = XRP.code

    def open_destination(self, request: DestinationRequest) -> Destination:
        """Return a random destination tag. It is never 0, which some wallets treat as no tag.

        Raises NodeUnavailable, NodeRejected; also when the follower could not detect the payment at this server.
        """
        server = receiving()[0]
        _check_history(server)
        return Destination(tagged(settings.XRP_ADDRESS, 1 + secrets.randbelow(MOST_TAG)), wallet=settings.XRP_ADDRESS)

    def close_destination(self, destination: str) -> None:
        """Do nothing: the ledger cannot refuse a payment to a tag."""

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        """Return what the account received since the cursor's ledger. Source: rippled `account_tx`, forward, page by page.

        The cursor's own ledger is read again, because a request that begins after the newest ledger is an error.
        """
        with open_xrp(within=TURN) as xrp:
            start, node_id = _start(xrp, cursor)
            wallets = _still_watched(taken_over(cursor.wallets, settings.XRP_ADDRESS, is_former_read=True))
            current, *former = wallets
            histories = [_read_from(xrp, current.identity, start), *_read_former(xrp, former, start)]
            unread: set[str] = set()
            facts = tuple(fact for history in histories for fact in _facts(history, unread))
        read_to = min(history.read_to for history in histories)
        newest = min(history.newest for history in histories)
        return FactPage(facts, CursorState(str(read_to), node_id, wallets), newest, tuple(sorted(unread)))

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        """Return the payments to these destinations.

        The ledger cannot be searched by tag, so everything that the account received since the oldest of these options is read.
        """
        opened = Option.objects.filter(network=self.code, destination__in=destinations).order_by("created_at")
        oldest = opened.values_list("created_at", flat=True).first()
        if oldest is None:
            return ()
        asked = set(destinations)
        with open_xrp(within=TURN) as xrp:
            start = _ledger_before(xrp, _checked(read_server(xrp)), oldest)
            accounts = sorted({split_destination(destination)[0] for destination in destinations})
            histories = [_read_from(xrp, account, start, to_the_end=True) for account in accounts]
            return tuple(fact for history in histories for fact in _facts(history, set()) if fact.destination in asked)

    def records(self, since: datetime, until: datetime, wallets: Sequence[IssuingWallet] = ()) -> list[NodeRecord]:
        """Return the account's successful payments in XRP. Also raises HistoryTooShort. Source: rippled `account_tx`."""
        with open_xrp(within=RECORDS_TIMEOUT) as xrp:
            server = _checked(read_server(xrp))
            begins_at = read_close_time(xrp, server.first) + CLOCKS
            if since < begins_at:
                raise HistoryTooShort(_time_lost(server, since), begins_at)
            start = _ledger_before(xrp, server, since)
            accounts = [settings.XRP_ADDRESS, *(wallet.identity for wallet in wallets)]
            histories = [_read_from(xrp, account, start, to_the_end=True) for account in accounts]
            found = [fact for history in histories for fact in _facts(history, set())]
            return [_record(fact) for fact in found if since <= fact.first_seen_at < until]

    def health(self) -> NodeHealth:
        try:
            server = receiving()[0]
            _check_history(server)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))
        return NodeHealth(problem="", height=server.ledger)


def receiving() -> tuple[Server, Account]:
    """Return server and account, both able to receive payments. Quick, because a buyer waits. Raises NodeUnavailable, NodeRejected."""
    with open_xrp(within=timedelta(seconds=settings.NODE_TIMEOUT_SECONDS)) as xrp:
        server = _checked(read_server(xrp))
        account = read_account(xrp, settings.XRP_ADDRESS)
    if account.refuses_strangers:
        raise NodeRejected(
            _("The XRP account %(address)s has DepositAuth set, so the ledger refuses what buyers pay. Clear it.")
            % {"address": settings.XRP_ADDRESS}
        )
    return server, account


def _checked(server: Server) -> Server:
    if server.problem:
        raise NodeUnavailable(server.problem)
    return server


def _check_history(server: Server) -> None:
    """Raise NodeUnavailable or NodeRejected if the follower cannot continue at this server: a payment made now would not be detected."""
    cursor = Cursor.objects.filter(network=XrpNetwork.code).first()
    if cursor is None or not cursor.value.isdecimal():
        return
    _check_network(server, cursor.node_id)
    if server.first > int(cursor.value):
        raise _history_lost(server, int(cursor.value))


def _history_lost(server: Server, ledger: int) -> NodeUnavailable:
    text = _(
        "The XRP server no longer has the ledgers from %(ledger)s on, in which payments may be: it has %(first)s to %(last)s. "
        "Set XRP_URL to a server with a longer history until the shop has caught up."
    )
    return NodeUnavailable(text % {"ledger": ledger, "first": server.first, "last": server.ledger})


def _time_lost(server: Server, moment: datetime) -> str:
    text = _(
        "The XRP server no longer has the ledgers of %(moment)s UTC, in which payments may be: it has %(first)s to %(last)s. "
        "Set XRP_URL to a server with a longer history until the shop has caught up."
    )
    return text % {"moment": f"{moment:%Y-%m-%d %H:%M}", "first": server.first, "last": server.ledger}


def _check_network(server: Server, node_id: str) -> None:
    before = node_id.partition(" ")[0]
    if server.network_id != before:
        text = _(
            "XRP_URL is a server of network %(network)s, but this shop has read network %(before)s so far (0 is the main network): "
            "a shop for another network needs a database of its own."
        )
        raise NodeRejected(text % {"network": server.network_id, "before": before})


def _start(xrp: Conversation, cursor: CursorState) -> tuple[int, str]:
    """Return the ledger to read from, and the cursor's node_id: the network of the server, and a hash of the XRP_URL that it was read at.

    While XRP_URL is the same, the server is not asked for its network. A cursor that is not a number is the sandbox's.
    """
    url = hashlib.sha256(settings.XRP_URL.encode()).hexdigest()[:12]
    if cursor.value.isdecimal() and cursor.node_id.endswith(f" {url}"):
        return int(cursor.value), cursor.node_id
    server = _checked(read_server(xrp))
    if not cursor.value.isdecimal():
        return _first_start(xrp, server), f"{server.network_id} {url}"
    _check_network(server, cursor.node_id)
    return int(cursor.value), f"{server.network_id} {url}"


def _first_start(xrp: Conversation, server: Server) -> int:
    """Return the ledger before the first option was opened; the last ledger if there is no option.

    The server was asked before the options are read, so an option opened in between can only be paid in later ledgers.
    """
    opened = Option.objects.filter(network=XrpNetwork.code, destination__startswith=f"{settings.XRP_ADDRESS}?").order_by("created_at")
    oldest = opened.values_list("created_at", flat=True).first()
    return server.ledger if oldest is None else _ledger_before(xrp, server, oldest)


def _ledger_before(xrp: Conversation, server: Server, moment: datetime) -> int:
    """Return a ledger that closed before the moment. Raises NodeUnavailable when the server's history begins later.

    There is at least a second between two ledgers.
    """
    before = server.ledger - (timezone.now() - moment + CLOCKS) // timedelta(seconds=1) - 1
    if before < server.first and read_close_time(xrp, server.first) > moment - CLOCKS:
        raise NodeUnavailable(_time_lost(server, moment))
    return max(before, server.first)


@dataclass(frozen=True)
class AccountHistory:
    """The transactions of an account from one ledger on."""

    account: str
    entries: list[Entry]
    read_to: int
    """Up to and including this ledger, nothing is missing."""
    newest: int


def _still_watched(wallets: tuple[IssuingWallet, ...]) -> tuple[IssuingWallet, ...]:
    """Leave out the accounts that took their last order so long ago that no invoice is watched there."""
    now = timezone.now()
    return tuple(wallet for wallet in wallets if not wallet.left_at or now - datetime.fromisoformat(wallet.left_at) < FORMER)


def _read_former(xrp: Conversation, wallets: Iterable[IssuingWallet], start: int) -> Iterator[AccountHistory]:
    """Read the accounts that were in use before, without those that were deleted from the ledger since."""
    for wallet in wallets:
        with suppress(NodeRejected):
            yield _read_from(xrp, wallet.identity, start)


def _read_from(xrp: Conversation, account: str, start: int, *, to_the_end: bool = False) -> AccountHistory:
    """Read the account's transactions from this ledger on, oldest first: as many pages as time allows, but at least one whole ledger."""
    entries: list[Entry] = []
    newest: int | None = None
    marker: Any = None
    while True:
        page = _page(xrp, account, start, newest, marker)
        newest = int(page["ledger_index_max"]) if newest is None else newest
        entries += [Entry(raw) for raw in page["transactions"]]
        marker = page.get("marker")
        read_to = newest if marker is None else max(_ledgers(entries), default=start) - 1
        is_much = len(entries) >= MOST_AT_ONCE or not xrp.has_time(UNHURRIED)
        if marker is None or (is_much and read_to > start and not to_the_end):
            break
    unsure = [ledger - 1 for ledger in _ledgers(entry for entry in entries if not entry.is_validated)]
    return AccountHistory(account, entries, max(start, min([read_to, *unsure])), newest)


def _page(xrp: Conversation, account: str, start: int, newest: int | None, marker: Any) -> dict[str, Any]:
    """Read one page of transactions. Raises NodeUnavailable when the server does not have these ledgers.

    API version 1 then answers with another range instead of an error.
    """
    question = AccountTx(
        account=account,
        ledger_index_min=start,
        ledger_index_max=newest,
        forward=True,
        limit=PAGE_SIZE,
        marker=marker,
    )
    try:
        page = xrp.ask(question)
    except RpcError as error:
        if error.code not in OUT_OF_RANGE:
            raise
        raise _out_of_range(xrp, start) from error
    if int(page["ledger_index_min"]) > start or int(page["ledger_index_max"]) < (newest or start):
        raise _out_of_range(xrp, start)
    return page


def _out_of_range(xrp: Conversation, start: int) -> NodeUnavailable:
    server = _checked(read_server(xrp))
    if server.first > start:
        return _history_lost(server, start)
    return NodeUnavailable(
        _("The XRP server is behind: ledger %(start)s was read already, and it knows none after %(last)s.")
        % {"start": start, "last": server.ledger}
    )


def _ledgers(entries: Iterable[Entry]) -> Iterator[int]:
    """Yield the ledgers of the entries. An entry without one is skipped here; `_facts` reports it as unreadable."""
    for entry in entries:
        with suppress(*NOT_UNDERSTOOD):
            yield entry.ledger


def _facts(history: AccountHistory, unread: set[str]) -> Iterator[Fact]:
    for entry in history.entries:
        with reading(entry.name, unread):
            if entry.ledger and entry.is_validated and entry.is_payment_to(history.account):
                yield from _delivered(entry)


def _delivered(entry: Entry) -> Iterator[Fact]:
    delivered = entry.delivered
    if isinstance(delivered, str) and delivered.isdecimal():
        yield entry.fact()
    elif not isinstance(delivered, dict):
        logger.warning("a payment of which the XRP server does not know the amount", extra={"reference": entry.reference})


def _record(fact: Fact) -> NodeRecord:
    return NodeRecord(fact.reference, fact.destination, fact.amount_base, fact.first_seen_at, is_confirmed=True, height=fact.height)
