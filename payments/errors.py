"""Errors that payments raise on purpose. They know nothing of HTTP: the API and the pages turn them into answers."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _


class PaymentError(Exception):
    """Base class. The text is written for the person who reads it, in the active language."""


class NodeUnavailable(PaymentError):
    """The node gave no answer or is still syncing. Nothing is known about the payment. Retry later."""


class HistoryTooShort(NodeUnavailable):
    """The node no longer has records from before `begins_at`."""

    def __init__(self, text: str, begins_at: datetime) -> None:
        super().__init__(text)
        self.begins_at = begins_at


class NodeRejected(PaymentError):
    """The node understood and refused. Retrying will not help."""


class AnotherChain(NodeRejected):
    """The node does not know a block that the shop has stored: it follows another chain. Nothing that it says of payments is believed."""


class RateUnavailable(PaymentError):
    """There is no current exchange rate, so no invoice can be priced on this network. Retry later."""


class NetworkNotOffered(PaymentError):
    """The shop does not take this network: no node is configured for it. Retrying will not help; the text names what the shop takes."""

    def __init__(self, name: str, offered: Sequence[str]) -> None:
        refused = _("This shop does not take %(network)s.") % {"network": name}
        others = _("It takes: %(networks)s.") % {"networks": ", ".join(offered)} if offered else _("It takes no payments at the moment.")
        super().__init__(f"{refused} {others}")


class NetworkWithoutNode(NetworkNotOffered):
    """The network is one that the shop could take: its node is not configured, in a shop that takes real money."""


class InvoiceMoved(PaymentError):
    """Another worker changed the invoice first: read it again and retry."""


class QuoteRefused(PaymentError):
    """The invoice gets no new quote: it is paid or closed, it is being refunded, or it has had too many quotes."""


class IllegalOverride(PaymentError):
    """The invoice's state does not allow this decision, or the name or reason of the person who decides is missing."""


class AlertClosed(PaymentError):
    """Somebody else has closed the alert already."""


class LateMoneyRefused(PaymentError):
    """The order can no longer be fulfilled, so a late payment is not credited automatically."""


class PayoutRefused(PaymentError):
    """The payout is not allowed. The text says why, and what to do instead."""


class NotCovered(PayoutRefused):
    """The money that the payout sends back is no longer there, or it pays the order again."""


class PayoutMoved(PaymentError):
    """Somebody else changed the payout first: read it again and retry."""


class HintNotSigned(PaymentError):
    """The webhook has no signature, or none made with a secret of WEBHOOK_SECRET."""

    def __init__(self) -> None:
        super().__init__(_("The signature is missing or wrong."))


class UnknownPlay(PaymentError):
    """The sandbox cannot simulate this."""
