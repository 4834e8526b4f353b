"""Bitcoin Lightning through LND. Speaks LND's gRPC; amounts leave here as millisatoshis."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import grpc
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cryptons.coins import LIGHTNING
from cryptons.money import Base
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.base import (
    CursorState,
    Destination,
    DestinationRequest,
    Fact,
    FactPage,
    IssuingWallet,
    NodeHealth,
    NodeRecord,
    Standing,
    taken_over,
)
from payments.networks.lightning.history import RECORDS_TIMEOUT, read_records
from payments.networks.lightning.lnd.invoices_pb2 import CancelInvoiceMsg, CancelInvoiceResp
from payments.networks.lightning.lnd.lightning_pb2 import (
    AddInvoiceResponse,
    ChannelBalanceRequest,
    ChannelBalanceResponse,
    GetInfoRequest,
    GetInfoResponse,
    GetStateRequest,
    GetStateResponse,
    Invoice,
    InvoiceSubscription,
    ListChannelsRequest,
    ListChannelsResponse,
    PaymentHash,
    WalletState,
)
from payments.networks.lightning.rpc import Conversation, LndError, credential, open_lnd
from payments.networks.reading import reading

PAGE = timedelta(seconds=1.5)
"""A buyer waits no longer for LND."""
TURN = timedelta(seconds=20)
FIRST_WORD, QUIET = timedelta(seconds=2), timedelta(seconds=0.5)
"""LND never says that its backlog has ended: silence does."""
HEALTH = timedelta(seconds=1.2)
"""All that LND is asked for its health."""
INFO = timedelta(seconds=0.8)
"""GetInfo hangs for as long as lnd waits for its Bitcoin node."""


ENDED = (Invoice.SETTLED, Invoice.CANCELED)


@dataclass(frozen=True)
class Channel:
    peer: str
    point: str
    capacity_sat: int
    local_sat: int
    remote_sat: int
    receivable_sat: int
    """What the other side may still send: its balance, less what it must keep."""
    sendable_sat: int
    is_active: bool


@dataclass(frozen=True)
class Liquidity:
    """All channels, and the balances of those that are being opened."""

    channels: tuple[Channel, ...]
    opening_local_sat: int
    opening_remote_sat: int


class LightningNetwork:
    code = LIGHTNING

    def open_destination(self, request: DestinationRequest) -> Destination:
        """Return a BOLT11 invoice that LND refuses payment of once it has expired. Source: LND `ListChannels`, `AddInvoice`."""
        with open_lnd(within=PAGE) as lnd:
            if receivable_msat(_channels(lnd, active_only=True)) < request.amount_base:
                raise NodeUnavailable(_("Lightning cannot receive this much at the moment."))
            invoice = Invoice(
                memo=request.label,
                value_msat=request.amount_base,
                expiry=max(1, int((request.expires_at - timezone.now()).total_seconds())),  # 0 would be a day
                private=True,
            )
            added = lnd.call("/lnrpc.Lightning/AddInvoice", invoice, AddInvoiceResponse)
            return Destination(added.r_hash.hex(), added.payment_request)

    def close_destination(self, destination: str) -> None:
        """Cancel the invoice, so that LND refuses payments of it. One that is settled, cancelled or unknown stays as it is."""
        with open_lnd(within=PAGE) as lnd:
            try:
                message = CancelInvoiceMsg(payment_hash=bytes.fromhex(destination))
                lnd.call("/invoicesrpc.Invoices/CancelInvoice", message, CancelInvoiceResp)
            except LndError as error:
                if "already settled" not in str(error) and not _is_unknown(error):
                    raise

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        """Return the invoices that were settled after the cursor's settle index. Source: LND `GetState`, `SubscribeInvoices`.

        LND's indexes are exclusive, and 0 returns no older invoices: `payments.sync.option_sweep` finds those. The stream of an LND
        that hangs is as silent as one without news, so LND is asked for its state first.
        """
        with open_lnd(within=TURN) as lnd:
            _state(lnd)
            node_id = _node_id(lnd, cursor)
            start = int(cursor.value or 0) if CursorState(node_id=node_id).node_name == cursor.node_name else 0
            subscription = InvoiceSubscription(settle_index=start)
            stream = lnd.listen("/lnrpc.Lightning/SubscribeInvoices", subscription, Invoice, first=FIRST_WORD, quiet=QUIET)
            updates = list(stream)
        settled = [invoice for invoice in updates if invoice is not None and invoice.state == Invoice.SETTLED]
        is_whole = bool(updates) and updates[-1] is None
        index = next_index(start, [invoice.settle_index for invoice in settled], is_whole=is_whole)
        unread: set[str] = set()
        facts = self.facts_of(settled, unread)
        wallets = taken_over(cursor.wallets, CursorState(node_id=node_id).node_name, is_former_read=False)
        return FactPage(facts, CursorState(str(index), node_id, wallets), None, tuple(sorted(unread)))

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        return self.facts_of(self.look_up(destinations).values(), set())

    def facts_of(self, invoices: Iterable[Invoice], unread: set[str]) -> tuple[Fact, ...]:
        """Return the facts of the settled invoices, and add the payment hashes of unreadable ones to `unread`."""
        facts = []
        for invoice in invoices:
            if invoice.state == Invoice.SETTLED:
                with reading(invoice.r_hash.hex(), unread):
                    facts.append(_fact(invoice))
        return tuple(facts)

    def look_up(self, destinations: Iterable[str]) -> dict[str, Invoice]:
        """Return the invoices that this node knows, by payment hash. Source: LND `LookupInvoice`."""
        invoices = {}
        with open_lnd(within=TURN) as lnd:
            for destination in destinations:
                try:
                    asked = PaymentHash(r_hash=bytes.fromhex(destination))
                    invoices[destination] = lnd.call("/lnrpc.Lightning/LookupInvoice", asked, Invoice)
                except LndError as error:
                    if not _is_unknown(error):
                        raise
        return invoices

    def standing(self, destinations: Sequence[str]) -> Standing:
        known = self.look_up(destinations)
        unread: set[str] = set()
        facts = self.facts_of(known.values(), unread)
        ended = frozenset(name for name, invoice in known.items() if invoice.state in ENDED)
        return Standing(facts, ended, frozenset(destinations) - known.keys(), frozenset(unread))

    def has_met(self, cursor: CursorState) -> bool:
        """Return whether the follower's last poll used the same node and credentials. Asks no node; raises NodeRejected."""
        return cursor.node_id.endswith(f" {_credentials()}")

    def liquidity(self) -> Liquidity:
        """Return the channels and their balances, for staff. Source: LND `ListChannels`, `ChannelBalance`."""
        with open_lnd(within=PAGE) as lnd:
            channels = _channels(lnd, active_only=False)
            balance = lnd.call("/lnrpc.Lightning/ChannelBalance", ChannelBalanceRequest(), ChannelBalanceResponse)
            return Liquidity(tuple(channels), balance.pending_open_local_balance.sat, balance.pending_open_remote_balance.sat)

    def records(self, since: datetime, until: datetime, wallets: Sequence[IssuingWallet] = ()) -> list[NodeRecord]:
        with open_lnd(within=RECORDS_TIMEOUT) as lnd:
            return list(read_records(lnd, since, until))

    def health(self) -> NodeHealth:
        """Return the health of LND. Source: LND `GetState`, which needs no macaroon, `ListChannels`, `GetInfo`."""
        try:
            with open_lnd(within=HEALTH) as lnd:
                if problem := _STATES.get(_state(lnd)):
                    return NodeHealth(problem=str(problem))
                channels = _health_of(_channels(lnd, active_only=False))
                return _with_chain(lnd, channels)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))


CHAIN_AWAY = gettext_lazy(
    "LND answers, but knows nothing of its chain: is its Bitcoin node down? Lightning payments still arrive and settle; "
    "start that node again soon, because without it nobody watches the channels."
)

_STATES = {
    WalletState.NON_EXISTING: gettext_lazy("LND has no wallet yet: make one with `lncli create`."),
    WalletState.LOCKED: gettext_lazy("LND's wallet is locked: unlock it with `lncli unlock`."),
    WalletState.UNLOCKED: gettext_lazy("LND is starting up."),
    WalletState.WAITING_TO_START: gettext_lazy("LND is starting up."),
}


def _state(lnd: Conversation) -> WalletState.ValueType:
    return lnd.call("/lnrpc.State/GetState", GetStateRequest(), GetStateResponse, within=PAGE).state


def _health_of(channels: Sequence[Channel]) -> NodeHealth:
    return NodeHealth(
        problem="",
        channels=len(channels),
        active_channels=sum(channel.is_active for channel in channels),
        receivable_base=Base(receivable_msat(channels)),
        spendable_base=Base(spendable_msat(channels)),
    )


def _with_chain(lnd: Conversation, health: NodeHealth) -> NodeHealth:
    """Add what LND knows of the chain. Without its Bitcoin node LND knows nothing of it, but still receives payments."""
    try:
        info = lnd.call("/lnrpc.Lightning/GetInfo", GetInfoRequest(), GetInfoResponse, within=INFO)
    except NodeUnavailable:
        return replace(health, warning=str(CHAIN_AWAY))
    except LndError as error:
        if "best block" in str(error):
            return replace(health, warning=str(CHAIN_AWAY))
        raise
    return replace(
        health,
        warning="" if info.synced_to_chain else _("LND is still catching up with the chain. Lightning payments arrive all the same."),
        height=info.block_height,
        tip_at=datetime.fromtimestamp(info.best_header_timestamp, UTC) if info.best_header_timestamp else None,
        peers=info.num_peers,
        node_name=info.identity_pubkey,
        version=f"lnd {info.version.partition(' ')[0]}",
    )


def _is_unknown(error: LndError) -> bool:
    return error.code == grpc.StatusCode.NOT_FOUND or "unable to locate invoice" in str(error)


def _fact(invoice: Invoice) -> Fact:
    payment_hash = invoice.r_hash.hex()
    return Fact(
        reference=payment_hash,
        destination=payment_hash,
        amount_base=Base(invoice.amt_paid_msat),
        first_seen_at=datetime.fromtimestamp(invoice.settle_date, UTC),
        is_safe=True,
    )


def next_index(start: int, indexes: Sequence[int], *, is_whole: bool) -> int:
    """Return the settle index up to which no invoice is missing. Pure.

    Some of LND's databases send a backlog in another order than that of the settlements, so an incomplete one counts up to its first gap.
    """
    if not indexes:
        return start
    if is_whole or not start:
        return max(start, *indexes)
    received, at = set(indexes), start
    while at + 1 in received:
        at += 1
    return at


def _channels(lnd: Conversation, *, active_only: bool) -> list[Channel]:
    listing = lnd.call("/lnrpc.Lightning/ListChannels", ListChannelsRequest(active_only=active_only), ListChannelsResponse)
    return [
        Channel(
            peer=each.remote_pubkey,
            point=each.channel_point,
            capacity_sat=each.capacity,
            local_sat=each.local_balance,
            remote_sat=each.remote_balance,
            receivable_sat=max(0, each.remote_balance - each.remote_constraints.chan_reserve_sat),
            sendable_sat=max(0, each.local_balance - each.local_constraints.chan_reserve_sat),
            is_active=each.active,
        )
        for each in listing.channels
    ]


def receivable_msat(channels: Iterable[Channel]) -> int:
    """Return the most that one payment can bring, in millisatoshis. It may arrive in parts over all active channels."""
    return sum(channel.receivable_sat for channel in channels if channel.is_active) * 1000


def spendable_msat(channels: Iterable[Channel]) -> int:
    """Return about the most that one payment can send, in millisatoshis; fees and their reserve make it a little less."""
    return sum(channel.sendable_sat for channel in channels if channel.is_active) * 1000


def _node_id(lnd: Conversation, cursor: CursorState) -> str:
    """Return the node's public key with a hash of the credentials. While these are the same, the node is not asked.

    A node refuses the macaroons of another node.
    """
    if cursor.node_id.endswith(f" {_credentials()}"):
        return cursor.node_id
    info = lnd.call("/lnrpc.Lightning/GetInfo", GetInfoRequest(), GetInfoResponse, within=INFO)
    return f"{info.identity_pubkey} {_credentials()}"


def _credentials() -> str:
    return hashlib.sha256(credential("LND_MACAROON") + settings.LND_HOST.encode()).hexdigest()[:12]
