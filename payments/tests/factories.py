"""The plainest valid rows: an invoice over 100.00 at 50,000.00 for a bitcoin, so 0.002 BTC, two confirmations, 15 minutes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from factory.declarations import LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from cryptons.db import new_id
from payments.models import Cursor, Invoice, Option, Payment, Payout

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
EXPIRY = NOW + timedelta(minutes=15)
DUE = 200_000
TIP = 1_000


class InvoiceFactory(DjangoModelFactory[Invoice]):
    class Meta:
        model = Invoice

    subject_id = LazyFunction(new_id)
    label = "order_7K3M9-2QFXA"
    price_minor = 10_000
    currency = "USD"
    tolerance_percent = Decimal("0.5")
    tolerance_cap_minor = 100
    confirmations_needed = 2
    created_at = NOW
    expires_at = EXPIRY
    monitor_until = EXPIRY + timedelta(days=30)


class OptionFactory(DjangoModelFactory[Option]):
    class Meta:
        model = Option

    invoice = SubFactory(InvoiceFactory)
    network = "BTC"
    destination = Sequence(lambda n: f"bcrt1q{n:038d}")
    due_base = DUE
    minor_per_coin = Decimal(5_000_000)
    quoted_at = NOW
    expires_at = SelfAttribute("invoice.expires_at")
    created_at = NOW


class PaymentFactory(DjangoModelFactory[Payment]):
    class Meta:
        model = Payment

    option = SubFactory(OptionFactory)
    invoice = SelfAttribute("option.invoice")
    network = SelfAttribute("option.network")
    reference = Sequence(lambda n: f"{n:064x}:0")
    amount_base = DUE
    first_seen_at = NOW + timedelta(minutes=1)


class CursorFactory(DjangoModelFactory[Cursor]):
    class Meta:
        model = Cursor

    network = "BTC"
    tip_height = TIP
    answered_at = NOW


class PayoutFactory(DjangoModelFactory[Payout]):
    """The whole price goes back to where the buyer said."""

    class Meta:
        model = Payout

    invoice = SubFactory(InvoiceFactory)
    kind = "refund"
    network = "BTC"
    destination = Sequence(lambda n: f"bcrt1qback{n:034d}")
    amount_base = DUE
    currency = "USD"
    value_minor = 10_000
    minor_per_coin = Decimal(5_000_000)
    created_by = "grace"
    created_at = NOW
