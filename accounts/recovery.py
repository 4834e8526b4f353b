"""Let people who forgot their password, or whose account was taken, choose a new one with a link from a mail."""

from contextlib import suppress

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError

from accounts.devices import forget_devices
from accounts.links import Kind, LinkOver, OpenLink, hours, send_link, use_up
from accounts.mails import mail_password_changed, mail_password_link, mail_verification_link
from accounts.models import AccountLink, ApiKey, LinkRequest, User
from accounts.second_factor import remove_newer
from cryptons.db import in_transaction
from cryptons.waiting_requests import answer_in_turn, store


class AnsweredAlready(Exception):
    """Another process has answered the same request."""


def request_link(kind: Kind, email: str, *, language: str = "") -> None:
    """Store the wish for a link to this address, RESET or VERIFY. The work is the same whether it has an account or not."""
    store(LinkRequest(kind=kind, email=email.lower(), language=language))


def answer_link_requests() -> None:
    """Mail the links that were asked for, to those addresses that have an account."""
    answer_in_turn(LinkRequest.objects.all(), _answer, doing="mailing a link")


def _answer(request: LinkRequest) -> None:
    user, kind = User.objects.filter(email=request.email, is_active=True).first(), Kind(request.kind)
    if user is None or (not user.has_usable_password() if kind == Kind.RESET else user.has_verified_email):
        LinkRequest.objects.filter(pk=request.pk).delete()
        return
    user.language = request.language or user.language
    tell = mail_password_link if kind == Kind.RESET else mail_verification_link

    def mail(path: str) -> None:
        if not LinkRequest.objects.filter(pk=request.pk).delete()[0]:
            raise AnsweredAlready
        tell(user, link=path, hours=hours(kind))

    with suppress(AnsweredAlready):
        send_link(user, kind, user.email, mail)


def set_new_password(link: OpenLink, password: str) -> User:
    """Set the password, and the old address again if the link undoes its change. Ends all sessions and tokens. Returns the user.

    The second factor and API keys stay, unless they were made since the change that the link undoes. Raises LinkOver.
    """
    if link.kind not in (Kind.RESET, Kind.UNDO):
        raise LinkOver
    hashed = make_password(password)  # outside the transaction: it takes a while

    def act() -> User:
        use_up(link)
        user = User.objects.get(pk=link.user.pk)
        user.email, user.password = link.email, hashed
        user.save(update_fields=["email", "password"])
        if link.kind == Kind.UNDO:
            _end_later_links(link.row)
            ApiKey.objects.filter(user=user, created_at__gte=link.row.created_at).delete()
            remove_newer(user, link.row.created_at)
        forget_devices(user.pk)
        mail_password_changed(user)
        return user

    try:
        return in_transaction(act)
    except IntegrityError as error:  # staff gave the old address to another account, which no reservation prevents
        raise LinkOver from error


def _end_later_links(undo: AccountLink) -> None:
    """End the links of those who had the account since. An older undo stays: its address was the user's before."""
    AccountLink.objects.filter(user_id=undo.user_id).exclude(kind=Kind.UNDO, created_at__lt=undo.created_at).delete()
