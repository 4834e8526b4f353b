"""Links in mails that do one thing once: set a new password, prove an email address, change it, or undo that.

A link has a row and a random part, both signed. The row keeps a digest of the random part and of the values that must stay what they were
(BOUND_TO), so a newer link, a use, or a change of such a value ends it, however it came about. The first of two uses
empties the digest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core import signing
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.translation import gettext as _

from accounts.models import AccountLink, User
from cryptons.db import in_transaction, retry_when

Kind = AccountLink.Kind

SALT = "accounts.link"
GOOD_FOR = {Kind.RESET: timedelta(hours=2), Kind.VERIFY: timedelta(days=3), Kind.CHANGE: timedelta(days=1), Kind.UNDO: timedelta(days=7)}
BOUND_TO = {Kind.RESET: ("password", "email"), Kind.VERIFY: ("email",), Kind.CHANGE: ("password", "email"), Kind.UNDO: ()}
RANDOM_LETTERS = 32
_signer = signing.Signer(sep=".", salt=SALT)


class LinkOver(Exception):
    """The link is not one of ours, or was used, replaced or overtaken, or is too old."""

    def __init__(self) -> None:
        super().__init__(_("This link is no longer valid."))


@dataclass(frozen=True)
class OpenLink:
    """A link that is good at this moment, and its user as the database has them."""

    row: AccountLink
    user: User

    @property
    def kind(self) -> Kind:
        return Kind(self.row.kind)

    @property
    def email(self) -> str:
        return self.row.email


def hours(kind: Kind) -> int:
    """Return for how many hours a link of this kind is good."""
    return int(GOOD_FOR[kind].total_seconds() // 3600)


def is_reserved(email: str, *, for_user: User | None = None) -> bool:
    """Return whether another account may still take this address back: until then nobody else gets it."""
    undo = AccountLink.objects.filter(kind=Kind.UNDO, email=email, expires_at__gt=timezone.now()).exclude(digest="")
    return undo.exclude(user=for_user).exists() if for_user else undo.exists()


def make_link(user: User, kind: Kind, email: str) -> str:
    """Store a link that replaces the one before, in the transaction that queues its mail, and return its path.

    Raises IntegrityError if another process makes the first one at the same moment.
    """
    random, at = get_random_string(RANDOM_LETTERS), timezone.now()
    values = {"digest": _digest(random, user, kind), "created_at": at, "expires_at": at + GOOD_FOR[kind]}
    row = AccountLink.objects.filter(user=user, kind=kind, email=email).first()
    if row is None:
        row = AccountLink.objects.create(user=user, kind=kind, email=email, **values)
    else:
        AccountLink.objects.filter(pk=row.pk).update(**values)
    return reverse("accounts:open_link", args=[_signer.sign(f"{row.pk.hex}{random}")])


def send_link(user: User, kind: Kind, email: str, mail: Callable[[str], None]) -> None:
    """Make a link, and call `mail` with its path in the same transaction."""
    retry_when(IntegrityError, lambda: in_transaction(lambda: mail(make_link(user, kind, email))), failure=LinkOver())


def read_link(key: str, *, at: datetime) -> OpenLink:
    """Find the link, without using it. Raises LinkOver."""
    try:
        text = _signer.unsign(key)
        row_id, random = UUID(text[:32]), text[32:]
    except (signing.BadSignature, ValueError) as error:
        raise LinkOver from error
    row = AccountLink.objects.select_related("user").filter(pk=row_id, expires_at__gt=at, user__is_active=True).first()
    if row is None or row.digest != _digest(random, row.user, Kind(row.kind)):
        raise LinkOver
    return OpenLink(row, row.user)


def use_up(link: OpenLink) -> None:
    """Spend the link, in the transaction of what it does. Raises LinkOver for the second of two uses, and when a value was changed."""
    user, row = link.user, link.row
    bound = {name: getattr(user, name) for name in BOUND_TO[link.kind]}
    is_first = AccountLink.objects.filter(pk=row.pk, digest=row.digest).update(digest="")
    if not is_first or not User.objects.filter(pk=user.pk, is_active=True, **bound).update(verified_email=link.email):
        raise LinkOver


def _digest(random: str, user: User, kind: Kind) -> str:
    values = [random, *(getattr(user, name) for name in BOUND_TO[kind])]
    return salted_hmac(SALT, "\n".join(values), algorithm="sha256").hexdigest()
