"""Bitcoin Lightning through LND. Speaks LND's gRPC; amounts leave here as millisatoshis."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from django.conf import settings
from django.utils import timezone

from cryptons.money import Base
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.base import CursorState, Destination, DestinationRequest, Fact, FactPage, NodeHealth
from payments.networks.lnd.invoices_pb2 import CancelInvoiceMsg, CancelInvoiceResp
from payments.networks.lnd.lightning_pb2 import (
    AddInvoiceResponse,
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
from payments.networks.lnd_rpc import Conversation, LndError, credential, open_lnd

PAGE = timedelta(seconds=1.5)
"""A buyer waits no longer for LND."""
TURN = timedelta(seconds=20)
FIRST_WORD, QUIET = timedelta(seconds=2), timedelta(seconds=0.5)
"""LND never says that its backlog has ended: silence does."""
HEALTH = timedelta(seconds=1)
"""GetInfo hangs for as long as lnd waits for its Bitcoin node."""


@dataclass(frozen=True)
class Channel:
    peer: str
    point: str
    capacity_sat: int
    local_sat: int
    remote_sat: int
    receivable_sat: int
    """What the other side may still send: its balance, less what it must keep."""
    is_active: bool


class LightningNetwork:
    code = "BTC-LN"

    def open_destination(self, request: DestinationRequest) -> Destination:
        """A BOLT11 invoice that LND takes no money for after its time. Source: LND `ListChannels`, `AddInvoice`."""
        with open_lnd(within=PAGE) as lnd:
            if receivable_msat(_channels(lnd, active_only=True)) < request.amount_base:
                raise NodeUnavailable("Lightning cannot receive this much at the moment.")
            invoice = Invoice(
                memo=request.label,
                value_msat=request.amount_base,
                expiry=max(1, int((request.expires_at - timezone.now()).total_seconds())),  # 0 would be a day
                private=True,
            )
            added = lnd.call("/lnrpc.Lightning/AddInvoice", invoice, AddInvoiceResponse)
            return Destination(added.r_hash.hex(), added.payment_request)

    def close_destination(self, destination: str) -> None:
        """LND refuses payments of it from now on. One that is settled or cancelled already, or unknown, stays as it is."""
        with open_lnd(within=PAGE) as lnd:
            try:
                message = CancelInvoiceMsg(payment_hash=bytes.fromhex(destination))
                lnd.call("/invoicesrpc.Invoices/CancelInvoice", message, CancelInvoiceResp)
            except LndError as error:
                if "already settled" not in str(error) and not _is_unknown(error):
                    raise

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        """What was settled after the cursor's settle index. Source: LND `SubscribeInvoices`.

        LND's indexes are exclusive, and 0 asks for nothing old: what is missed so is found by `payments.lightning_round`.
        """
        with open_lnd(within=TURN) as lnd:
            node_id = _node_id(lnd, cursor)
            start = int(cursor.value or 0) if _same_node(node_id, cursor) else 0
            subscription = InvoiceSubscription(settle_index=start)
            told = lnd.listen("/lnrpc.Lightning/SubscribeInvoices", subscription, Invoice, first=FIRST_WORD, quiet=QUIET)
            heard = list(told)
        settled = [invoice for invoice in heard if invoice is not None and invoice.state == Invoice.SETTLED]
        is_whole = bool(heard) and heard[-1] is None
        index = next_index(start, [invoice.settle_index for invoice in settled], is_whole=is_whole)
        return FactPage(self.facts_of(settled), CursorState(str(index), node_id), None)

    def lookup(self, destinations: Sequence[str]) -> tuple[Fact, ...]:
        return self.facts_of(self.look_up(destinations).values())

    def facts_of(self, invoices: Iterable[Invoice]) -> tuple[Fact, ...]:
        return tuple(_fact(invoice) for invoice in invoices if invoice.state == Invoice.SETTLED)

    def look_up(self, destinations: Iterable[str]) -> dict[str, Invoice]:
        """By payment hash; one that LND forgot, as it may with cancelled ones, is told as cancelled. Source: LND `LookupInvoice`."""
        invoices = {}
        with open_lnd(within=TURN) as lnd:
            for destination in destinations:
                try:
                    asked = PaymentHash(r_hash=bytes.fromhex(destination))
                    invoices[destination] = lnd.call("/lnrpc.Lightning/LookupInvoice", asked, Invoice)
                except LndError as error:
                    if not _is_unknown(error):
                        raise
                    invoices[destination] = Invoice(state=Invoice.CANCELED)
        return invoices

    def channels(self) -> list[Channel]:
        """All of them, for staff. Source: LND `ListChannels`."""
        with open_lnd(within=PAGE) as lnd:
            return _channels(lnd, active_only=False)

    def health(self) -> NodeHealth:
        """Source: LND `GetState`, which needs no macaroon, `GetInfo`."""
        try:
            with open_lnd(within=HEALTH) as lnd:
                state = lnd.call("/lnrpc.State/GetState", GetStateRequest(), GetStateResponse).state
            if problem := _STATES.get(state):
                return NodeHealth(problem=problem)
            with open_lnd(within=HEALTH) as lnd:
                _channels(lnd, active_only=True)
        except (NodeUnavailable, NodeRejected) as error:
            return NodeHealth(problem=str(error))
        try:
            with open_lnd(within=HEALTH) as lnd:
                info = lnd.call("/lnrpc.Lightning/GetInfo", GetInfoRequest(), GetInfoResponse)
        except NodeUnavailable:
            return NodeHealth(problem="LND answers, but knows nothing of its chain: does its Bitcoin node run?")
        except NodeRejected as error:
            return NodeHealth(problem=str(error))
        problem = "" if info.synced_to_chain else "LND is still catching up with the chain."
        return NodeHealth(problem=problem, height=info.block_height)


_STATES = {
    WalletState.NON_EXISTING: "LND has no wallet yet: make one with `lncli create`.",
    WalletState.LOCKED: "LND's wallet is locked: unlock it with `lncli unlock`.",
    WalletState.UNLOCKED: "LND is starting up.",
    WalletState.WAITING_TO_START: "LND is starting up.",
}


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
    """How far everything was told. Pure.

    Some of LND's stores tell a backlog in another order than that of the settlements: of one that was cut off, only what has no gap counts.
    """
    if not indexes:
        return start
    if is_whole or not start:
        return max(start, *indexes)
    told, at = set(indexes), start
    while at + 1 in told:
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
            is_active=each.active,
        )
        for each in listing.channels
    ]


def receivable_msat(channels: Iterable[Channel]) -> int:
    """By one payment, which may come in parts over all channels that are up."""
    return sum(channel.receivable_sat for channel in channels if channel.is_active) * 1000


def _node_id(lnd: Conversation, cursor: CursorState) -> str:
    """The node's public key, and which credentials it took: while these are the same, so is the node, and it need not be asked.

    A node refuses the macaroons of another.
    """
    credentials = hashlib.sha256(credential("LND_MACAROON") + settings.LND_HOST.encode()).hexdigest()[:12]
    if cursor.node_id.endswith(f" {credentials}"):
        return cursor.node_id
    info = lnd.call("/lnrpc.Lightning/GetInfo", GetInfoRequest(), GetInfoResponse, within=HEALTH)
    return f"{info.identity_pubkey} {credentials}"


def _same_node(node_id: str, cursor: CursorState) -> bool:
    return node_id.partition(" ")[0] == cursor.node_id.partition(" ")[0]
