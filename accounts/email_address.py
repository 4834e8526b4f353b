"""Prove an account's email address, and change it once the new one is proven."""

from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.links import GOOD_FOR, Kind, LinkOver, OpenLink, hours, is_reserved, make_link, send_link, use_up
from accounts.mails import mail_address_in_use, mail_change_link, mail_email_changed, mail_verification_link
from accounts.models import AccountLink, User
from accounts.registration import AccountError, Taken, check_current_password
from accounts.tokens import forget_user
from cryptons.db import in_transaction


class SameAddress(AccountError):
    def __init__(self) -> None:
        super().__init__(_("This is your address already."))


def send_verification(user: User) -> None:
    """Mail the link that proves the user's address."""
    send_link(user, Kind.VERIFY, user.email, lambda path: mail_verification_link(user, link=path, hours=hours(Kind.VERIFY)))


def verify_email(link: OpenLink) -> None:
    """Take the address for the user's. Raises LinkOver."""
    if link.kind != Kind.VERIFY:
        raise LinkOver
    in_transaction(lambda: use_up(link))
    forget_user(link.user.pk)


def ask_to_change_email(request: HttpRequest, user: User, email: str, current: str) -> None:
    """Mail a link to the new address; nothing changes before it is used. Raises WrongPassword, TooManyTries, SameAddress.

    An address of another account gets a mail too, without a link, so that the answer does not tell whether there is one.
    """
    check_current_password(request, user, current)
    if email == user.email:
        raise SameAddress
    is_taken = User.objects.filter(email=email).exists() or is_reserved(email, for_user=user)

    def mail(path: str) -> None:
        AccountLink.objects.filter(user=user, kind=Kind.CHANGE).exclude(email=email).update(digest="")
        if is_taken:
            mail_address_in_use(user, email=email)
        else:
            mail_change_link(user, email=email, link=path, hours=hours(Kind.CHANGE))

    send_link(user, Kind.CHANGE, email, mail)


def change_email(link: OpenLink) -> None:
    """Give the account its new address, and tell the old one. Raises LinkOver, or Taken if another account got it first.

    Only an old address that was proven can undo it: one that was mistyped belongs to a stranger.
    """
    if link.kind != Kind.CHANGE:
        raise LinkOver
    old, was_verified = link.user.email, link.user.has_verified_email

    def act() -> None:
        use_up(link)
        if is_reserved(link.email, for_user=link.user):
            raise Taken("email")
        user = User.objects.get(pk=link.user.pk)
        user.email = link.email
        user.save(update_fields=["email"])
        undo = make_link(user, Kind.UNDO, old) if was_verified else ""
        mail_email_changed(user, old=old, link=undo, days=GOOD_FOR[Kind.UNDO].days)

    try:
        in_transaction(act)
    except IntegrityError as error:
        raise Taken("email") from error
    forget_user(link.user.pk)
