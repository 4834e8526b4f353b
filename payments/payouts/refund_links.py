"""The link by which a buyer requests a refund: signed, expiring, and sent only to the order's email address."""

from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext as _

SALT = "payments.refund"
GOOD_FOR = timedelta(days=30)


class BadRefundLink(ValueError):
    """The link was not made by this shop, was changed, or is too old. The text says what to do next."""


def refund_path(invoice_id: UUID) -> str:
    return reverse("payments:refund", args=[signing.dumps(str(invoice_id), salt=SALT)])


def read_token(token: str) -> UUID:
    """Return the invoice's id. Raises BadRefundLink."""
    try:
        return UUID(signing.loads(token, salt=SALT, max_age=GOOD_FOR))
    except signing.SignatureExpired as error:
        raise BadRefundLink(_("This link is too old. Your order page has a button that emails you a new one.")) from error
    except (signing.BadSignature, ValueError) as error:
        raise BadRefundLink(_("This link is not complete. Please copy all of it from your email.")) from error
