"""Something that speaks LND's gRPC on this machine, for what one real LND cannot be brought to in a moment. The shop talks to it as to any
other, but for TLS; how a real LND behaves is tested in tests/stack."""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from payments.networks.lightning.lnd import invoices_pb2, lightning_pb2, router_pb2
from payments.networks.lightning.lnd.lightning_pb2 import Invoice, Payment, WalletState

UNKNOWN = grpc.StatusCode.UNKNOWN
STREAMS = ("SubscribeInvoices", "SendPaymentV2", "TrackPaymentV2")


class LocalLnd:
    def __init__(self, name: str) -> None:
        self.pubkey = f"02{hashlib.sha256(name.encode()).hexdigest()}"
        self.macaroon = hashlib.sha256(self.pubkey.encode()).hexdigest()
        """In hex; those of other nodes are refused, as LND does."""
        self.state = WalletState.SERVER_ACTIVE
        self.is_synced = True
        self.hanging: set[str] = set()
        """Methods that do not answer."""
        self.errors: dict[str, tuple[grpc.StatusCode, str]] = {}
        """By method: status and text of its answer."""
        self.ends_after_backlog = False
        """Whether a subscription ends as if its time were over when the old invoices are told."""
        self.last_words: list[Payment] = []
        """What SendPaymentV2 and TrackPaymentV2 tell before they end."""
        self.route_fees: list[int] = []
        """In millisatoshis: what the routes cost that it knows."""
        self.received: dict[str, Any] = {}
        """By method: the last request."""
        self.invoices: dict[str, Invoice] = {}
        self.payments: list[Payment] = []
        self.channels: list[lightning_pb2.Channel] = []
        self.asked: list[str] = []
        self.server = grpc.server(ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers(
            (
                self._serve("lnrpc.State", GetState=lightning_pb2.GetStateRequest),
                self._serve(
                    "lnrpc.Lightning",
                    GetInfo=lightning_pb2.GetInfoRequest,
                    AddInvoice=Invoice,
                    LookupInvoice=lightning_pb2.PaymentHash,
                    ListInvoices=lightning_pb2.ListInvoiceRequest,
                    ListChannels=lightning_pb2.ListChannelsRequest,
                    ChannelBalance=lightning_pb2.ChannelBalanceRequest,
                    SubscribeInvoices=lightning_pb2.InvoiceSubscription,
                    ListPayments=lightning_pb2.ListPaymentsRequest,
                    DecodePayReq=lightning_pb2.PayReqString,
                    QueryRoutes=lightning_pb2.QueryRoutesRequest,
                ),
                self._serve("invoicesrpc.Invoices", CancelInvoice=invoices_pb2.CancelInvoiceMsg),
                self._serve("routerrpc.Router", SendPaymentV2=router_pb2.SendPaymentRequest, TrackPaymentV2=router_pb2.TrackPaymentRequest),
            )
        )
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def stop(self) -> None:
        self.server.stop(None)

    def configure(self, settings: Any) -> None:
        settings.LND_HOST, settings.LND_TLS_CERT, settings.LND_MACAROON = f"127.0.0.1:{self.port}", "", self.macaroon

    def add_channel(self, *, local: int, remote: int, reserve: int = 0, active: bool = True) -> None:
        constraints = lightning_pb2.ChannelConstraints(chan_reserve_sat=reserve)
        channel = lightning_pb2.Channel(
            active=active,
            remote_pubkey="03" + "ab" * 32,
            channel_point=f"{'cd' * 32}:{len(self.channels)}",
            capacity=local + remote,
            local_balance=local,
            remote_balance=remote,
            local_constraints=constraints,
            remote_constraints=constraints,
        )
        self.channels.append(channel)

    def add(self, payment_hash: str, *, value_msat: int = 1_000, at: datetime | None = None) -> None:
        self.invoices[payment_hash] = Invoice(
            r_hash=bytes.fromhex(payment_hash),
            value_msat=value_msat,
            add_index=len(self.invoices) + 1,
            creation_date=int(at.timestamp()) if at else 0,
        )

    def pay(self, payment_hash: str, at: datetime) -> None:
        settled = [invoice.settle_index for invoice in self.invoices.values()]
        paid = self.invoices[payment_hash]
        paid.state, paid.amt_paid_msat, paid.settle_date = Invoice.SETTLED, paid.value_msat, int(at.timestamp())
        paid.settle_index = max(settled) + 1

    def send(self, at: datetime, status: Payment.PaymentStatus.ValueType = Payment.SUCCEEDED, *, value_msat: int = 1_000) -> str:
        """The hash of a payment that it makes."""
        index = len(self.payments) + 1
        begun = int(at.timestamp() * 10**6) * 1000
        payment = Payment(payment_hash=f"{index:064x}", value_msat=value_msat, status=status, creation_time_ns=begun, payment_index=index)
        self.payments.append(payment)
        return payment.payment_hash

    # --- What it answers ---

    def _serve(self, service: str, **methods: type[Message]) -> grpc.GenericRpcHandler:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for name, request in methods.items():
            kind = grpc.unary_stream_rpc_method_handler if name in STREAMS else grpc.unary_unary_rpc_method_handler
            handlers[name] = kind(
                self._answer(name), request_deserializer=request.FromString, response_serializer=lambda message: message.SerializeToString()
            )
        return grpc.method_handlers_generic_handler(service, handlers)

    def _answer(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.asked.append(name)
            self.received[name] = request
            while name in self.hanging and context.is_active():
                time.sleep(0.02)
            if name != "GetState":
                self._check(context)
            if name in self.errors:
                context.abort(*self.errors[name])
            return getattr(self, f"_{name}")(request, context)

        return answer

    def _check(self, context: grpc.ServicerContext) -> None:
        if self.state == WalletState.LOCKED:
            context.abort(UNKNOWN, "wallet locked, unlock it to enable full RPC access")
        if dict(context.invocation_metadata()).get("macaroon") != self.macaroon:
            context.abort(UNKNOWN, "verification failed: signature mismatch after caveat verification")

    def _GetState(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.GetStateResponse:  # noqa: N802
        return lightning_pb2.GetStateResponse(state=self.state)

    def _GetInfo(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.GetInfoResponse:  # noqa: N802
        return lightning_pb2.GetInfoResponse(
            identity_pubkey=self.pubkey,
            num_peers=1,
            block_height=800_000,
            best_header_timestamp=1_790_000_000,
            synced_to_chain=self.is_synced,
            version="0.21.3-beta commit=v0.21.3-beta",
        )

    def _AddInvoice(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.AddInvoiceResponse:  # noqa: N802
        payment_hash = f"{len(self.invoices):064x}"
        self.add(payment_hash, value_msat=request.value_msat)
        return lightning_pb2.AddInvoiceResponse(r_hash=bytes.fromhex(payment_hash), payment_request=f"lnbcrt{payment_hash}")

    def _LookupInvoice(self, request: Any, context: grpc.ServicerContext) -> Invoice:  # noqa: N802
        if request.r_hash.hex() not in self.invoices:
            context.abort(grpc.StatusCode.NOT_FOUND, "unable to locate invoice")
        return self.invoices[request.r_hash.hex()]

    def _ListInvoices(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.ListInvoiceResponse:  # noqa: N802
        """Backwards: so many before the offset, which is exclusive, oldest first; 0 is the end."""
        assert request.reversed
        before = [invoice for invoice in self.invoices.values() if not request.index_offset or invoice.add_index < request.index_offset]
        page = before[-request.num_max_invoices :]
        first, last = (page[0].add_index, page[-1].add_index) if page else (0, 0)
        return lightning_pb2.ListInvoiceResponse(invoices=page, first_index_offset=first, last_index_offset=last)

    def _ListPayments(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.ListPaymentsResponse:  # noqa: N802
        """So many after the offset, which is exclusive; by whole seconds, both ends within."""
        found = [
            payment
            for payment in self.payments
            if payment.payment_index > request.index_offset
            and request.creation_date_start <= payment.creation_time_ns // 10**9 <= request.creation_date_end
            and (request.include_incomplete or payment.status == Payment.SUCCEEDED)
        ]
        page = found[: request.max_payments]
        first, last = (page[0].payment_index, page[-1].payment_index) if page else (0, 0)
        return lightning_pb2.ListPaymentsResponse(payments=page, first_index_offset=first, last_index_offset=last)

    def _CancelInvoice(self, request: Any, context: grpc.ServicerContext) -> invoices_pb2.CancelInvoiceResp:  # noqa: N802
        invoice = self.invoices.get(request.payment_hash.hex())
        if invoice is None:
            context.abort(UNKNOWN, "unable to locate invoice")
            raise AssertionError  # `abort` raises
        if invoice.state == Invoice.SETTLED:
            context.abort(UNKNOWN, "invoice already settled")
        invoice.state = Invoice.CANCELED
        return invoices_pb2.CancelInvoiceResp()

    def _ListChannels(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.ListChannelsResponse:  # noqa: N802
        channels = [channel for channel in self.channels if channel.active or not request.active_only]
        return lightning_pb2.ListChannelsResponse(channels=channels)

    def _ChannelBalance(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.ChannelBalanceResponse:  # noqa: N802
        opening = lightning_pb2.Amount(sat=5_000)
        return lightning_pb2.ChannelBalanceResponse(pending_open_local_balance=opening)

    def _SubscribeInvoices(self, request: Any, context: grpc.ServicerContext) -> Iterator[Invoice]:  # noqa: N802
        """0 asks for nothing old; an index above the node's own hears nothing, ever."""
        backlog = sorted(self.invoices.values(), key=lambda invoice: invoice.settle_index)
        told = max((invoice.settle_index for invoice in backlog), default=0)
        yield from (invoice for invoice in backlog if 0 < request.settle_index < invoice.settle_index)
        if self.ends_after_backlog:
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        while context.is_active():
            for invoice in list(self.invoices.values()):
                if invoice.settle_index > max(told, request.settle_index):
                    told = invoice.settle_index
                    yield invoice
            time.sleep(0.02)

    def _SendPaymentV2(self, request: Any, context: grpc.ServicerContext) -> Iterator[Payment]:  # noqa: N802
        yield from self.last_words

    def _TrackPaymentV2(self, request: Any, context: grpc.ServicerContext) -> Iterator[Payment]:  # noqa: N802
        yield from self.last_words

    def _DecodePayReq(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.PayReq:  # noqa: N802
        if not request.pay_req.startswith("lnbcrt"):
            context.abort(UNKNOWN, "invalid bech32 string")
        hint = lightning_pb2.RouteHint(hop_hints=[lightning_pb2.HopHint(node_id="03" + "ab" * 32, fee_base_msat=1_000)])
        return lightning_pb2.PayReq(
            payment_hash=request.pay_req.removeprefix("lnbcrt"),
            num_msat=1_000,
            destination="03" + "cd" * 32,
            cltv_expiry=80,
            route_hints=[hint],
        )

    def _QueryRoutes(self, request: Any, context: grpc.ServicerContext) -> lightning_pb2.QueryRoutesResponse:  # noqa: N802
        return lightning_pb2.QueryRoutesResponse(routes=[lightning_pb2.Route(total_fees_msat=fee) for fee in self.route_fees])


class FirstWord:
    """How long the first message is waited for: briefly only where there is none, because a busy machine can be slow to send one."""

    def __init__(self, nodes: list[LocalLnd]) -> None:
        self.nodes = nodes

    def total_seconds(self) -> float:
        has_news = any(node.errors or any(invoice.settle_index for invoice in node.invoices.values()) for node in self.nodes)
        return 2 if has_news else 0.2


class Limit:
    """A limit of the shop that no busy machine crosses, and that ends soon where a node is told to hang."""

    def __init__(self, nodes: list[LocalLnd], hanging: float) -> None:
        self.nodes = nodes
        self.hanging = hanging

    def total_seconds(self) -> float:
        return self.hanging if any(node.hanging for node in self.nodes) else 60


@pytest.fixture
def lnd_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], LocalLnd]]:
    """Makes nodes by name; the last one that is made is the shop's."""
    monkeypatch.setattr("payments.networks.lightning.rpc.grpc.secure_channel", lambda host, credentials: grpc.insecure_channel(host))
    nodes: list[LocalLnd] = []
    monkeypatch.setattr("payments.networks.lightning.network.FIRST_WORD", FirstWord(nodes))
    for name, hanging in (("PAGE", 1.5), ("HEALTH", 1.0), ("INFO", 0.3)):
        monkeypatch.setattr(f"payments.networks.lightning.network.{name}", Limit(nodes, hanging))

    def make(name: str) -> LocalLnd:
        nodes.append(LocalLnd(name))
        nodes[-1].configure(settings)
        return nodes[-1]

    yield make
    for node in nodes:
        node.stop()


@pytest.fixture
def lnd(lnd_of: Callable[[str], LocalLnd]) -> LocalLnd:
    node = lnd_of("the shop's")
    node.add_channel(local=3_000_000, remote=2_000_000, reserve=10_000)
    return node
