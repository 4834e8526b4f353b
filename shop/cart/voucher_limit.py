"""How many codes of vouchers a client address may enter."""

from django.conf import settings
from django.http import HttpRequest

from cryptons.client_address import client_ip
from cryptons.page_limits import TooManyForms, count_against

__all__ = ["TooManyForms", "count_code"]


def count_code(request: HttpRequest) -> None:
    """Count a code against RATE_LIMIT_CHECKOUT, apart from the checkout's forms. Raises TooManyForms."""
    count_against(settings.RATE_LIMIT_CHECKOUT, "vouchers", client_ip(request))
