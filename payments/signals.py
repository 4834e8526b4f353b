"""What payments tells the rest of the program. Sent inside the transaction that changed the invoice, so receivers only write rows."""

from django.dispatch import Signal

invoice_changed = Signal()
"""Arguments: `invoice` (with its new values), `verdict` (payments.evaluation.Verdict), `at`.

A receiver that lost a race raises InvoiceMoved.
"""
