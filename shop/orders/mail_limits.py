"""How many mails about orders that nobody has paid yet the shop sends: anybody can order with somebody else's mail address."""

from django.conf import settings
from django.utils.crypto import salted_hmac

from cryptons.api.limits import count


def count_mail(email: str, session: str) -> bool:
    """Count a mail to this address, asked for in this session. Returns whether it may be sent; the order is placed all the same."""
    keys = [f"{kind}:{value}" for kind, value in (("recipient", email.strip().lower()), ("session", session)) if value]
    hashed = (salted_hmac("order mails", key, algorithm="sha256").hexdigest() for key in keys)
    return all(count(settings.RATE_LIMIT_ORDER_MAILS, "order mails", key)[0] for key in hashed)
