"""Limits of wrong passwords and codes, so that nobody guesses them and nobody locks others out.

Tries are counted for each account at each address, and only wrong ones stay counted. Where the account has logged in before, in this
browser or from this network, nothing else counts: no stranger elsewhere can keep its owner out. Elsewhere, an account and an address each
have a total as well, against those who guess from many addresses, or at many accounts.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from accounts.devices import known_place
from accounts.models import User
from cryptons.api.errors import RateLimited
from cryptons.api.limits import count, take_back, times, too_many_attempts
from cryptons.client_address import client_ip

PASSWORD, CODE = "password", "code"
TOTAL = {PASSWORD: 10, CODE: 2}
"""How many times the limit an account allows to all places that it does not know together, and an unknown place to all accounts."""


class TooManyWrong(RateLimited):
    """There were too many wrong passwords or codes. The text is a sentence for the page; `headers` say how long to wait."""


@dataclass(frozen=True)
class Try:
    """A try that counts as wrong until `succeeded` is called."""

    counted: tuple[tuple[str, ...], ...]

    def succeeded(self) -> None:
        for limit in self.counted:
            take_back(*limit)


def count_try(request: HttpRequest, kind: str, user: User | None, name: str = "") -> Try:
    """Count a try before it is checked. `name` is what was typed where there is no such user. Raises TooManyWrong."""
    account = str(user.pk) if user else name.strip().lower()
    limit, total = settings.RATE_LIMIT_AUTH, times(settings.RATE_LIMIT_AUTH, TOTAL[kind])
    place = known_place(user, request)
    if place:
        return _count((limit, kind, account, place))
    address = client_ip(request)
    return _count((limit, kind, account, address), (total, kind, "account", account), (total, kind, "address", address))


def _count(*limits: tuple[str, ...]) -> Try:
    for number, limit in enumerate(limits):
        allowed, headers = count(*limit)
        if not allowed:
            Try(limits[:number]).succeeded()
            raise TooManyWrong(too_many_attempts(headers), headers=headers)
    return Try(limits)
