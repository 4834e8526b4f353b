"""Whether what came lies deep enough in its chain to be sent back.

How deep it must lie to pay depends on the price. Who pays a thousand for a thing of ten, and gets the rest back after one block, wins more
by taking that block back than it costs.
"""

from cryptons.money import Minor
from payments.invoices.opening import confirmations_for
from payments.models import Cursor, Invoice, Payment


def missing_confirmations(invoice: Invoice) -> int:
    """How many more its settled money needs than it has, by what it is worth and not by the price."""
    needed = confirmations_for(Minor(invoice.paid_safe_minor), invoice.currency)
    shallow = Payment.objects.filter(invoice=invoice, status=Payment.Status.SETTLED, is_final=False, height__isnull=False)
    heights = list(shallow.values_list("network", "height"))
    tips = dict(Cursor.objects.filter(network__in={network for network, _ in heights}).values_list("network", "tip_height"))
    depths = [(tips.get(network) or 0) - (height or 0) + 1 for network, height in heights]
    return max([0, *(needed - max(1, depth) for depth in depths)])
