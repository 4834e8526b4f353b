"""Who comes to the shop. The tables of the tests say which of them each page and route is for."""

import time
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from accounts.groups import make_ready_groups
from accounts.models import User
from accounts.second_factor import FRESH_SECONDS
from accounts.second_factor import SESSION_KEY as CODE_KEY
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from accounts.tokens import issue
from shop.orders.access import SESSION_KEY as ORDERS_KEY

ANONYMOUS, GUEST, BUYER, OTHER = {"anonymous"}, {"guest"}, {"buyer"}, {"other buyer"}
"""The guest has an order in the session, and its key; the buyer an order of their own."""
DISABLED, FORMER = {"disabled superuser"}, {"former superuser"}
"""One whose account was closed, and one who is no longer staff but has kept groups and rights."""
NO_FACTOR, OLD_CODE = {"superuser without second factor"}, {"superuser with an old code"}
"""The shop demands a second factor of staff. An old code asks for another one before what weighs much."""
ROOT = {"superuser", *OLD_CODE}
PACKER, CATALOGUE_GROUP, BOOKKEEPER = {"Packer"}, {"Catalogue"}, {"Bookkeeper"}
SUPPORT_GROUP, PAYMENTS_GROUP, OWNER_GROUP = {"Support"}, {"Payments"}, {"Owner"}
GROUPS = PACKER | CATALOGUE_GROUP | BOOKKEEPER | SUPPORT_GROUP | PAYMENTS_GROUP | OWNER_GROUP
STAFF = {"staff without a group"} | GROUPS | ROOT
NOBODY: set[str] = set()

OWNER = OWNER_GROUP | ROOT
SUPPORT = SUPPORT_GROUP | OWNER
CATALOGUE = CATALOGUE_GROUP | OWNER
NODES = PAYMENTS_GROUP | OWNER
BOOKS = BOOKKEEPER | NODES
READS_MONEY = BOOKS | SUPPORT
ORDERS = PACKER | SUPPORT
GOODS = PACKER | CATALOGUE | SUPPORT
"""As docs/staff.md has the groups: who sees goods; the smaller sets may also change what theirs is."""

LOGGED_IN = BUYER | OTHER | FORMER | STAFF | NO_FACTOR
EVERYBODY = ANONYMOUS | GUEST | DISABLED | LOGGED_IN

FEW = ANONYMOUS | GUEST | BUYER | OTHER | PACKER | {"superuser"}
"""Who lets each query of each route run, by which somebody is let in, or is not: by a session, a key, an owner, a group's rights."""


def is_here(person: str) -> bool:
    """Say whether a person comes where the tests run. Who may is decided in Python, so all come to SQLite, and a few to the others."""
    return person in FEW or connection.vendor == "sqlite"


class People:
    """All of them, with an account each (but two), and each with a network address of their own."""

    def __init__(self) -> None:
        make_ready_groups()
        self._code_at = int(time.time()) + 10 * FRESH_SECONDS  # a code is fresh until the end, however slow the machine is
        self.names = sorted(EVERYBODY)
        self.users: dict[str, User] = {name: self._make(name) for name in self.names if name not in ANONYMOUS | GUEST}
        self._sessions = {name: self._log_in(name) for name in self.names}
        self._tokens = {name: issue(user, code_at=0 if name in OLD_CODE else self._code_at) for name, user in self.users.items()}
        User.objects.filter(pk=self.users[min(DISABLED)].pk).update(is_active=False)
        User.objects.filter(pk=self.users[min(FORMER)].pk).update(is_staff=False)

    def _make(self, name: str) -> User:
        if name in BUYER | OTHER:
            return UserFactory.create()
        is_root = name in ROOT | DISABLED | FORMER | NO_FACTOR
        person = StaffFactory.create(is_superuser=is_root, has_second_factor=name not in NO_FACTOR)
        person.groups.set(Group.objects.filter(name__in=GROUPS if name in FORMER else {name}))
        return person

    def _log_in(self, name: str) -> Client:
        client = Client(REMOTE_ADDR=self.address(name))
        if name in self.users:
            client.force_login(self.users[name])
        session = client.session
        session[CODE_KEY] = 0 if name in OLD_CODE else self._code_at
        session.save()
        client.cookies["sessionid"] = session.session_key or ""
        return client

    def address(self, name: str) -> str:
        return f"203.0.113.{self.names.index(name) + 1}"

    def browser(self, name: str) -> Client:
        """Return the browser in which this person has logged in, while the account was open."""
        return self._sessions[name]

    def remember_orders(self, name: str, *orders: Any) -> None:
        session = self._sessions[name].session
        session[ORDERS_KEY] = [str(order.pk) for order in orders]
        session.save()

    def program(self, name: str) -> ApiClient:
        """Return a client of the API that bears this person's token, as it was issued while the account was open."""
        options: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {self._tokens[name]['token']}"} if name in self._tokens else {}
        return ApiClient(REMOTE_ADDR=self.address(name), **options)

    def with_refresh_token(self, name: str) -> ApiClient:
        return ApiClient(HTTP_AUTHORIZATION=f"Bearer {self._tokens[name]['refresh']}")
