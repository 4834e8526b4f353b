"""Errors that payments raise on purpose. None knows HTTP: the API and the pages translate them."""

from datetime import datetime


class PaymentError(Exception):
    """The family. The text is written for the person who meets it."""


class NodeUnavailable(PaymentError):
    """No answer, or still syncing. Nothing is known about the payment: retry later."""


class HistoryTooShort(NodeUnavailable):
    """The node no longer knows what was before `begins_at`."""

    def __init__(self, text: str, begins_at: datetime) -> None:
        super().__init__(text)
        self.begins_at = begins_at


class NodeRejected(PaymentError):
    """The node understood and refused. Retrying will not help."""


class RateUnavailable(PaymentError):
    """No fresh exchange rate: no invoice can be priced on this network now. Recovers by itself."""


class NetworkNotOffered(PaymentError):
    """The shop does not take this network: no node is configured for it."""


class InvoiceMoved(PaymentError):
    """Another worker changed the invoice first: read it again and retry."""


class QuoteRefused(PaymentError):
    """The invoice gets no fresh quote: it is paid or closed, its money is on its way back, or it had enough of them."""


class IllegalMark(PaymentError):
    """The invoice cannot go where the person wants it."""


class AlertClosed(PaymentError):
    """Somebody else was first."""


class LateMoneyRefused(PaymentError):
    """What was ordered cannot be had any more, so money that came late is not taken for it by itself."""


class PayoutRefused(PaymentError):
    """The money cannot go back like this. The text says why, and what would do."""


class PayoutMoved(PaymentError):
    """Somebody else changed the payout first: look at it again."""


class HintNotSigned(PaymentError):
    """Whoever sent it does not know a secret of WEBHOOK_SECRET."""

    def __init__(self) -> None:
        super().__init__("The signature is missing or wrong.")


class UnknownPlay(PaymentError):
    """The sandbox knows no such act."""
