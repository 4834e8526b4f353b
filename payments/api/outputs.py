"""What the API answers about money: invoices, payments, payouts, rates, nodes."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from cryptons.api.outputs import AmountText, DecimalText, Output
from cryptons.coins import BITCOIN, LIGHTNING
from cryptons.money import UNITS, base_to_minor, format_coin, format_fiat, format_rate, minor_digits
from payments.accounting.ledger import order_of
from payments.invoices.buyer_view import BuyerView
from payments.models import Invoice, Option, Payment, Payout
from payments.networks.lightning.network import Liquidity, receivable_msat, spendable_msat
from payments.networks.registry import is_sandbox
from payments.rates.current import CurrentRate
from payments.sync.node_health import NodeReport

STATES = ("ok", "attention", "trouble")


@extend_schema_serializer(component_name="InvoiceView")  # generated clients name the `status` of an `Invoice` so
class InvoiceStatusSerializer(Output):
    """The state of an invoice for anybody who has its id."""

    id = serializers.UUIDField(source="invoice_id")
    status = serializers.ChoiceField(Invoice.Status.values)
    flags = serializers.ListField(child=serializers.CharField())
    price = DecimalText()
    currency = serializers.CharField()
    network = serializers.CharField()
    address = serializers.CharField()
    destinationTag = serializers.CharField(allow_null=True)
    amount = DecimalText(source="due_text")
    amountRemaining = DecimalText()
    paid = DecimalText()
    uri = serializers.CharField()
    lightning = serializers.CharField(allow_null=True)
    confirmations = serializers.IntegerField()
    confirmationsNeeded = serializers.IntegerField(source="confirmations_needed")
    createdAt = serializers.DateTimeField(source="created_at")
    expiresAt = serializers.DateTimeField(source="expires_at")
    sandbox = serializers.BooleanField()

    def read_flags(self, view: BuyerView) -> list[str]:
        return sorted(view.flags)

    def read_price(self, view: BuyerView) -> str:
        return format_fiat(view.price_minor, view.currency)

    def read_destinationTag(self, view: BuyerView) -> str | None:
        return view.destination_tag or None

    def read_amountRemaining(self, view: BuyerView) -> str:
        return view.remaining_text if view.remaining_minor else format_coin(0, view.network)

    def read_paid(self, view: BuyerView) -> str:
        return format_fiat(view.paid_seen_minor, view.currency)

    def read_lightning(self, view: BuyerView) -> str | None:
        return view.payment_request or None

    def read_sandbox(self, view: BuyerView) -> bool:
        return is_sandbox()


class RateSerializer(Output):
    rate = DecimalText()
    currency = serializers.CharField()
    quotedAt = serializers.DateTimeField(source="quoted_at")
    ageSeconds = serializers.IntegerField()
    sources = serializers.DictField(child=serializers.CharField())

    def read_rate(self, rate: CurrentRate) -> str:
        """Write all digits with which orders are priced, and at least those of the currency: a coin may be worth less than a cent."""
        digits = minor_digits(settings.CURRENCY)
        exact = rate.minor_per_coin.scaleb(-digits).normalize()
        return f"{exact:.{max(digits, -int(exact.as_tuple().exponent))}f}"

    def read_currency(self, rate: CurrentRate) -> str:
        return settings.CURRENCY

    def read_ageSeconds(self, rate: CurrentRate) -> int:
        return max(0, int((timezone.now() - rate.quoted_at).total_seconds()))


class SandboxPlaySerializer(Output):
    invoiceId = serializers.UUIDField()
    play = serializers.CharField()
    does = serializers.CharField()


class WebhookReceiptSerializer(Output):
    queued = serializers.ListField(child=serializers.ChoiceField(list(UNITS)), help_text="The networks that will be read")
    ignored = serializers.ChoiceField(["stale", "duplicate"], allow_null=True)


class PaymentSerializer(Output):
    """`value` is the amount at the payment's own rate, as in the ledger."""

    id = serializers.UUIDField(source="pk")
    invoiceId = serializers.UUIDField(source="invoice_id")
    orderNumber = serializers.CharField()
    network = serializers.ChoiceField(list(UNITS))
    status = serializers.ChoiceField(Payment.Status.values)
    amount = DecimalText(source="amount_text")
    currency = serializers.CharField(source="invoice.currency")
    value = DecimalText()
    rate = DecimalText()
    rateSources = serializers.DictField(child=serializers.CharField(), source="option.rate_sources")
    reference = serializers.CharField()
    txid = serializers.CharField()
    destination = serializers.CharField(source="option.destination")
    receivedAt = serializers.DateTimeField(source="first_seen_at")
    height = serializers.IntegerField(allow_null=True)
    updatedAt = serializers.DateTimeField(source="updated_at")

    def read_orderNumber(self, payment: Payment) -> str:
        return order_of(payment.invoice.label)

    def read_value(self, payment: Payment) -> str:
        value = base_to_minor(payment.amount_base, minor_per_coin=payment.credited_minor_per_coin, network=payment.network)
        return format_fiat(value, payment.invoice.currency)

    def read_rate(self, payment: Payment) -> str:
        return format_rate(payment.credited_minor_per_coin, payment.invoice.currency)


class InvoiceOptionSerializer(Output):
    network = serializers.ChoiceField(list(UNITS))
    destination = serializers.CharField()
    amount = DecimalText(source="due_text")
    rate = DecimalText()
    rateSources = serializers.DictField(child=serializers.CharField(), source="rate_sources")
    quotedAt = serializers.DateTimeField(source="quoted_at")
    expiresAt = serializers.DateTimeField(source="expires_at")

    def read_rate(self, option: Option) -> str:
        return format_rate(option.minor_per_coin, option.invoice.currency)


class InvoiceSerializer(Output):
    id = serializers.UUIDField(source="pk")
    orderId = serializers.UUIDField(source="subject_id")
    orderNumber = serializers.CharField()
    status = serializers.ChoiceField(Invoice.Status.values)
    flags = serializers.ListField(child=serializers.CharField())
    currency = serializers.CharField()
    price = DecimalText()
    paidSeen = DecimalText()
    paidSafe = DecimalText()
    options = InvoiceOptionSerializer(many=True)
    createdAt = serializers.DateTimeField(source="created_at")
    expiresAt = serializers.DateTimeField(source="expires_at")
    settledAt = serializers.DateTimeField(source="settled_at", allow_null=True)

    def read_orderNumber(self, invoice: Invoice) -> str:
        return order_of(invoice.label)

    def read_flags(self, invoice: Invoice) -> list[str]:
        return sorted(invoice.flags)

    def read_price(self, invoice: Invoice) -> str:
        return format_fiat(invoice.price_minor, invoice.currency)

    def read_paidSeen(self, invoice: Invoice) -> str:
        return format_fiat(invoice.paid_seen_minor, invoice.currency)

    def read_paidSafe(self, invoice: Invoice) -> str:
        return format_fiat(invoice.paid_safe_minor, invoice.currency)


class PayoutSerializer(Output):
    id = serializers.UUIDField(source="pk")
    invoiceId = serializers.UUIDField(source="invoice_id")
    kind = serializers.ChoiceField(Payout.Kind.values)
    status = serializers.ChoiceField(Payout.Status.values)
    blockedBy = serializers.ChoiceField(Payout.BlockedBy.values, allow_null=True)
    network = serializers.ChoiceField(list(UNITS))
    amount = DecimalText(source="amount_text")
    destination = serializers.CharField(allow_null=True)
    value = DecimalText()
    currency = serializers.CharField()
    rate = DecimalText()
    reference = serializers.CharField(allow_null=True)
    fee = DecimalText(allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    sentAt = serializers.DateTimeField(source="sent_at", allow_null=True)

    def read_destination(self, payout: Payout) -> str | None:
        return payout.destination or None

    def read_blockedBy(self, payout: Payout) -> str | None:
        return payout.blocked_by or None

    def read_value(self, payout: Payout) -> str:
        return format_fiat(payout.value_minor, payout.currency)

    def read_rate(self, payout: Payout) -> str:
        return format_rate(payout.minor_per_coin, payout.currency)

    def read_fee(self, payout: Payout) -> str | None:
        return None if payout.fee_base is None else format_coin(payout.fee_base, payout.network)


class NodeChannelsSerializer(Output):
    total = serializers.IntegerField(source="health.channels")
    active = serializers.IntegerField()
    receivable = DecimalText()
    spendable = DecimalText()

    def read_active(self, report: NodeReport) -> int:
        return report.health.active_channels or 0

    def read_receivable(self, report: NodeReport) -> str:
        return format_coin(report.health.receivable_base or 0, report.network)

    def read_spendable(self, report: NodeReport) -> str:
        return format_coin(report.health.spendable_base or 0, report.network)


class FollowerSerializer(Output):
    answeredAt = serializers.DateTimeField(source="follower.answered_at", allow_null=True)
    failingSince = serializers.DateTimeField(source="follower.failing_since", allow_null=True)
    lastError = serializers.CharField(source="follower.last_error")
    height = serializers.IntegerField(source="follower.tip_height", allow_null=True)
    behind = serializers.IntegerField(source="follower_behind", allow_null=True)


class NodeSerializer(Output):
    network = serializers.ChoiceField(list(UNITS))
    name = serializers.CharField()
    status = serializers.ChoiceField(STATES, source="state")
    problem = serializers.CharField(source="health.problem")
    warnings = serializers.ListField(child=serializers.CharField())
    checkedAt = serializers.DateTimeField(source="checked_at")
    latencyMs = serializers.IntegerField(source="milliseconds", allow_null=True)
    height = serializers.IntegerField(source="health.height", allow_null=True)
    behind = serializers.IntegerField(source="health.behind")
    tipAt = serializers.DateTimeField(source="health.tip_at", allow_null=True)
    peers = serializers.IntegerField(source="health.peers", allow_null=True)
    wallet = serializers.CharField(source="health.wallet")
    nodeId = serializers.CharField(source="health.node_name")
    version = serializers.CharField(source="health.version")
    channels = NodeChannelsSerializer(allow_null=True)
    follower = FollowerSerializer(source="*")
    oldestUnsettledAt = serializers.DateTimeField(source="oldest_unsettled_at", allow_null=True)
    oldestUnsettledSeconds = serializers.IntegerField(allow_null=True)

    def read_warnings(self, report: NodeReport) -> list[str]:
        return list(report.warnings)

    def read_channels(self, report: NodeReport) -> NodeReport | None:
        return None if report.health.channels is None else report

    def read_oldestUnsettledSeconds(self, report: NodeReport) -> int | None:
        since: datetime | None = report.oldest_unsettled_at
        return None if since is None else max(0, int((report.checked_at - since).total_seconds()))


class BtcText(AmountText):
    """Satoshis as BTC."""

    def write(self, amount: int) -> str:
        return format_coin(amount, BITCOIN.code)


class ChannelSerializer(Output):
    peer = serializers.CharField()
    point = serializers.CharField()
    capacity = BtcText(source="capacity_sat")
    local = BtcText(source="local_sat")
    remote = BtcText(source="remote_sat")
    receivable = BtcText(source="receivable_sat")
    spendable = BtcText(source="sendable_sat")
    active = serializers.BooleanField(source="is_active")


class LiquiditySerializer(Output):
    receivable = DecimalText()
    spendable = DecimalText()
    capacity = BtcText()
    local = BtcText()
    remote = BtcText()
    openingLocal = BtcText(source="opening_local_sat")
    openingRemote = BtcText(source="opening_remote_sat")
    channels = ChannelSerializer(many=True)

    def read_receivable(self, liquidity: Liquidity) -> str:
        return format_coin(receivable_msat(liquidity.channels), LIGHTNING)

    def read_spendable(self, liquidity: Liquidity) -> str:
        return format_coin(spendable_msat(liquidity.channels), LIGHTNING)

    def read_capacity(self, liquidity: Liquidity) -> int:
        return sum(channel.capacity_sat for channel in liquidity.channels)

    def read_local(self, liquidity: Liquidity) -> int:
        return sum(channel.local_sat for channel in liquidity.channels)

    def read_remote(self, liquidity: Liquidity) -> int:
        return sum(channel.remote_sat for channel in liquidity.channels)
