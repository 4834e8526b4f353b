"""Why an order is not taken, or a verification does not go on. The text of each is a sentence for the person who reads it."""


class NotAdmitted(Exception):
    """The order must not be placed, or must not get another invoice."""


class VerificationNeeded(NotAdmitted):
    """The order is above a limit: its buyer must be verified first."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url
        """Of the page where buyers are verified."""


class OrderRefused(NotAdmitted):
    """The buyer or the address is on the sanctions list. Staff have been alerted."""


class ScreeningUnavailable(NotAdmitted):
    """The sanctions list cannot be read, so nobody can be compared with it. Try again once staff have mended it."""


class VerificationError(Exception):
    """The base of what refuses a step of a verification."""


class ProviderUnavailable(VerificationError):
    """The provider gives no usable answer. Nothing has changed: try again later."""


class UnusableDocument(VerificationError):
    """The uploaded file cannot be accepted."""


class HitMoved(VerificationError):
    """Somebody else has cleared the match of the sanctions list first, or has taken that back. Read it again."""


class VerificationMoved(VerificationError):
    """The verification was changed by somebody else first, or does not allow this step. Read it again."""
