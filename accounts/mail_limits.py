"""How many mails with links to one address can be asked for, from one client, and by one account: anybody can name anybody's address."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.models import User
from cryptons.api.limits import count
from cryptons.client_address import client_ip


def count_link_mail(request: HttpRequest, email: str, *, asked_by: User | None = None) -> dict[str, str] | None:
    """Count the wish for a mail to this address, also for the user who may name any address.

    Returns the limit's headers if it is one too many, whether or not the address has an account.
    """
    recipient = salted_hmac("account mails", email.strip().lower(), algorithm="sha256").hexdigest()
    limits = [(settings.RATE_LIMIT_AUTH, client_ip(request)), (settings.RATE_LIMIT_ACCOUNT_MAILS, recipient)]
    if asked_by is not None:
        limits.append((settings.RATE_LIMIT_ACCOUNT_MAILS, str(asked_by.pk)))
    for limit, key in limits:
        allowed, headers = count(limit, "account mails", key)
        if not allowed:
            return headers
    return None
