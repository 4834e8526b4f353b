"""The link by which a buyer says where their money shall go back to: signed, expiring, sent to the order's mail address alone."""

from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.urls import reverse

SALT = "payments.refund"
GOOD_FOR = timedelta(days=30)


class BadRefundLink(ValueError):
    """The link is not ours, was changed, or is too old. The text says what to do next."""


def refund_path(invoice_id: UUID) -> str:
    return reverse("payments:refund", args=[signing.dumps(str(invoice_id), salt=SALT)])


def read_token(token: str) -> UUID:
    """The invoice's id. Raises BadRefundLink."""
    try:
        return UUID(signing.loads(token, salt=SALT, max_age=GOOD_FOR))
    except signing.SignatureExpired as error:
        raise BadRefundLink("This link is too old. The page of your order has a button that mails you a new one.") from error
    except (signing.BadSignature, ValueError) as error:
        raise BadRefundLink("This link is not complete. Please copy all of it from your mail.") from error
