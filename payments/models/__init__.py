"""The tables of payments: invoices, payouts, networks."""

from payments.fields import FlagsField
from payments.models.invoices import Invoice, Option, Payment
from payments.models.networks import Alert, Cursor, IncomingWebhook, Rate, SandboxChain, SandboxTransaction
from payments.models.payouts import Payout

__all__ = [
    "Alert",
    "Cursor",
    "FlagsField",
    "IncomingWebhook",
    "Invoice",
    "Option",
    "Payment",
    "Payout",
    "Rate",
    "SandboxChain",
    "SandboxTransaction",
]
