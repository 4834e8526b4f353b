"""The mails about an account: only their rows are written here, in the transaction of what they are about.

None of them has a text that somebody chose, a user name for example: who registers can name anybody's address.
"""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.urls import reverse
from django.utils import timezone, translation
from django_stubs_ext import StrOrPromise

from accounts.models import User
from cryptons.db import new_id
from cryptons.mail.queueing import queue_mail

P = ParamSpec("P")


def _in_the_users_language(mail: Callable[Concatenate[User, P], None]) -> Callable[Concatenate[User, P], None]:
    @wraps(mail)
    def mail_in_language(user: User, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with translation.override(user.language or settings.LANGUAGE_CODE):
            mail(user, *args, **kwargs)

    return mail_in_language


@_in_the_users_language
def mail_new_device(user: User, *, address: str, at: datetime) -> None:
    """Tell of a login from a device that the user has not used before. `address` is the client's."""
    _mail("new_device", user.email, address=address, at=timezone.localtime(at))


@_in_the_users_language
def mail_password_changed(user: User) -> None:
    _mail("password_changed", user.email)


@_in_the_users_language
def mail_second_factor_changed(user: User, what: StrOrPromise) -> None:
    """Tell of a change to the second factor. `what` is a lazily translated sentence: that one was added, or removed."""
    _mail("second_factor_changed", user.email, what=str(what))


@_in_the_users_language
def mail_password_link(user: User, *, link: str, hours: int) -> None:
    _mail("password_link", user.email, link=settings.PUBLIC_URL + link, hours=hours)


@_in_the_users_language
def mail_verification_link(user: User, *, link: str, hours: int) -> None:
    _mail("verification_link", user.email, link=settings.PUBLIC_URL + link, hours=hours)


@_in_the_users_language
def mail_change_link(user: User, *, email: str, link: str, hours: int) -> None:
    """Ask the reader of the new address to confirm that it is the user's."""
    _mail("change_link", email, link=settings.PUBLIC_URL + link, hours=hours)


@_in_the_users_language
def mail_address_in_use(user: User, *, email: str) -> None:
    """Tell the reader of an address that has an account already that another account, `user`'s, was to get it."""
    _mail("address_in_use", email)


@_in_the_users_language
def mail_email_changed(user: User, *, old: str, link: str, days: int) -> None:
    """Tell the old address. `link` undoes the change; it is empty where the old address was never proven to be the user's."""
    _mail("email_changed", old, link=settings.PUBLIC_URL + link if link else "", days=days)


def _mail(template: str, to: str, **context: Any) -> None:
    if to.endswith("@localhost"):  # the first member of staff's, where no ADMIN_EMAIL was given
        return
    links = {"forgotten_url": settings.PUBLIC_URL + reverse("accounts:forgotten")}
    queue_mail(f"{template}:{new_id()}", to=to, template=f"accounts/mail/{template}", context={**links, **context})
