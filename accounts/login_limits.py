"""Limits of passwords and codes, so that nobody guesses them and nobody locks others out.

Tries are counted for each account at each address, and only wrong ones stay counted. Where the account has logged in before, in this
browser or from this address, nothing else counts: no stranger elsewhere can keep its owner out. Elsewhere, an account and an address each
have a total as well, against those who guess from many addresses, or at many accounts.

Right passwords have a limit of their own: each one costs a check of its hash and an entry in the audit log.
"""

from collections.abc import Sequence
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

RIGHT_OF_AN_ADDRESS = 3
"""How many times RATE_LIMIT_LOGINS all accounts together may log in from one address."""

Limit = tuple[str, ...]
"""What `count` takes: the limit, and of what it is one."""


class TooManyTries(RateLimited):
    """There were too many wrong passwords or codes, or too many right ones.

    The text is a sentence for the page; `headers` say how long to wait.
    """


@dataclass(frozen=True)
class Try:
    """A try that counts as a wrong and a right one until `succeeded` or `failed` is called."""

    wrong: list[Limit]
    right: list[Limit]

    def succeeded(self) -> None:
        _take_back(self.wrong)

    def failed(self) -> None:
        _take_back(self.right)


def count_try(request: HttpRequest, kind: str, user: User | None, name: str = "") -> Try:
    """Count a try before it is checked. `name` is what was typed where there is no such user. Raises TooManyTries."""
    account = str(user.pk) if user else name.strip().lower()
    limit, total = settings.RATE_LIMIT_AUTH, times(settings.RATE_LIMIT_AUTH, TOTAL[kind])
    place, address = known_place(user, request), client_ip(request)
    wrong: list[Limit] = [(limit, kind, account, place or address)]
    if not place:
        wrong += [(total, kind, "account", account), (total, kind, "address", address)]
    right = _right_passwords(account, address) if kind == PASSWORD else []
    _count([*wrong, *right])
    return Try(wrong, right)


def _right_passwords(account: str, address: str) -> list[Limit]:
    logins = settings.RATE_LIMIT_LOGINS
    return [(logins, "right", account, address), (times(logins, RIGHT_OF_AN_ADDRESS), "right", "address", address)]


def _count(limits: Sequence[Limit]) -> None:
    for number, limit in enumerate(limits):
        allowed, headers = count(*limit)
        if not allowed:
            _take_back(limits[:number])
            raise TooManyTries(too_many_attempts(headers), headers=headers)


def _take_back(limits: Sequence[Limit]) -> None:
    for limit in limits:
        take_back(*limit)
