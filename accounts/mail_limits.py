"""How many mails with links to one address can be asked for, and from one client: anybody can name anybody's address."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from cryptons.api.limits import count
from cryptons.client_address import client_ip


def count_link_mail(request: HttpRequest, email: str) -> dict[str, str] | None:
    """Count the wish for a mail to this address. Returns the limit's headers if it is one too many, whether or not it has an account."""
    recipient = salted_hmac("account mails", email.strip().lower(), algorithm="sha256").hexdigest()
    for limit, key in ((settings.RATE_LIMIT_AUTH, client_ip(request)), (settings.RATE_LIMIT_ACCOUNT_MAILS, recipient)):
        allowed, headers = count(limit, "account mails", key)
        if not allowed:
            return headers
    return None
