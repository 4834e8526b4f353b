"""What payments tells the rest of the program. Sent inside the transaction that changed the invoice, so receivers only write rows."""

from django.dispatch import Signal

invoice_changed = Signal()
"""Arguments: `invoice` (with its new values), `verdict` (payments.invoices.evaluation.Verdict), `at`.

A receiver that lost a race raises InvoiceMoved.
"""

accepting_late = Signal()
"""Arguments: `invoice`. Sent inside the transaction that is about to take late money, or to ask for money anew after its time had run out.

A receiver that can no longer serve (sold out, cancelled) raises LateMoneyRefused; nothing is taken or asked for then.
"""

asking_if_wanted = Signal()
"""Arguments: `invoice`. Whether anybody still waits for what it pays for.

A receiver answers False when nobody does (the order was cancelled): then all of its money may go back, not only what is beyond the price.
"""

payout_changed = Signal()
"""Arguments: `payout` (with its new values), `at`. Sent inside the transaction that changed it, so receivers only write rows."""

reconciling = Signal()
"""Arguments: `period` (payments.accounting.periods.Period). Whoever keeps books of its own over invoices checks them against these.

A receiver returns a list of payments.accounting.comparison.Difference.
"""
