"""The steps of a payout that its tests share: a paid invoice, a draft, an approved payout."""

from typing import Any

from cryptons.db import new_id
from payments.models import Invoice, Payout
from payments.payouts.workflow import approve_payout, draft_payout
from payments.tests.factories import DUE, NOW, InvoiceFactory, OptionFactory, PaymentFactory, PayoutFactory


def paid(amount: int = DUE, **fields: Any) -> Invoice:
    """Return an invoice over 100.00 with settled money."""
    return PaymentFactory.create(amount_base=amount, status="settled", height=1, option__invoice__status="settled", **fields).invoice


def draft(invoice: Invoice, **fields: Any) -> Payout:
    values: dict[str, Any] = {"kind": "refund", "network": "BTC", "actor": "grace", "at": NOW, **fields}
    return draft_payout(invoice.pk, **values)


def approved(invoice: Invoice, **fields: Any) -> Payout:
    payout = draft(invoice, destination="bcrt1qback", **fields)
    return approve_payout(payout.pk, actor="grace", at=NOW)


def covered_payout(**fields: Any) -> Payout:
    """Return a payout whose invoice has expired with as much settled money."""
    values: dict[str, Any] = {"network": "BTC", "amount_base": DUE, "status": "approved", "next_try_at": NOW, **fields}
    invoice = fields.get("invoice") or InvoiceFactory.create(status="expired")
    key = new_id().hex  # processes that are forked count from the same number
    option = OptionFactory.create(network=values["network"], invoice=invoice, destination=key)
    PaymentFactory.create(option=option, amount_base=values["amount_base"], status="settled", height=1, reference=f"{key}:0")
    return PayoutFactory.create(**{**values, "invoice": option.invoice})
