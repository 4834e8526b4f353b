"""How much a buyer who is not verified may order in a day and a month.

An order is added to the sums of its account, its mail address and its delivery address, by updates that change no row which would pass the
limit. So of several orders at once, no more are placed than the limit allows. Anybody may order with anybody's mail address: so its sum
never stops an account that has confirmed the address, whose orders are only added to it. All accounts that confirmed addresses of one
mailbox, as `name+tag@`, share a sum of their own.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.verification.models import CountedOrder, SpendingSum
from cryptons.chunks import delete_in_chunks
from cryptons.db import atomic
from cryptons.email_domain import readable_email
from cryptons.money import limit_to_minor

KEEP = timedelta(days=62)
"""After the end of its period, a sum is kept for so long: its orders may still be cancelled."""
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i"})
"""Letters that Unicode does not take apart."""
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Marks and letters that nobody sees, as joiners and soft hyphens of the category Cf: without them a name is still the same one."""
WORD = re.compile(r"\w+")

ONE_ORDER = _("Orders of more than %(limit)s need a verified buyer.")


class LimitPassed(Exception):
    """With the order, a sum would be above its limit. `rule` says which, with `%(limit)s`."""

    def __init__(self, rule: str | Promise, most_minor: int) -> None:
        super().__init__(str(rule))
        self.rule, self.most_minor = rule, most_minor


@dataclass(frozen=True)
class _Limit:
    rule: str | Promise
    most_minor: int
    keys: tuple[str, ...]
    """Of the sums that must have room."""
    others: tuple[str, ...]
    """Of those to which the order is only added."""
    ends_at: datetime


@dataclass(frozen=True)
class Claim:
    """The sums to which an order is added; none for a buyer without limits."""

    total_minor: int = 0
    limits: tuple[_Limit, ...] = ()

    def take(self, order_id: UUID) -> None:
        """Add the order to its sums, in its transaction. Raises LimitPassed."""
        for limit in self.limits:
            has_room = SpendingSum.objects.filter(key__in=limit.keys, total_minor__lte=limit.most_minor - self.total_minor)
            if has_room.update(total_minor=F("total_minor") + self.total_minor) < len(limit.keys):
                raise LimitPassed(limit.rule, limit.most_minor)
            if limit.others:
                SpendingSum.objects.filter(key__in=limit.others).update(total_minor=F("total_minor") + self.total_minor)
        if self.limits:
            keys = [key for limit in self.limits for key in (*limit.keys, *limit.others)]
            CountedOrder.objects.create(order_id=order_id, keys=keys, total_minor=self.total_minor)


def prepare_claim(user_id: UUID | None, email: str, address: Mapping[str, str], total_minor: int, *, at: datetime) -> Claim:
    """Make the rows of the sums, outside of the order's transaction. Raises LimitPassed if the order has no room in them already."""
    limits, stored = _room(user_id, email, address, total_minor, at=at)
    for limit in limits:
        for key in (*limit.keys, *limit.others):
            if key not in stored:
                _make_row(key, limit.ends_at)
    return Claim(total_minor, limits)


def check_room(user_id: UUID | None, email: str, address: Mapping[str, str], total_minor: int, *, at: datetime) -> None:
    """Raise LimitPassed if an order of this sum would have no room now. Writes nothing; what is not known yet may be empty."""
    _room(user_id, email, address, total_minor, at=at)


def _room(
    user_id: UUID | None, email: str, address: Mapping[str, str], total_minor: int, *, at: datetime
) -> tuple[tuple[_Limit, ...], dict[str, int]]:
    """Return the limits of an order, and the sums that are stored. Raises LimitPassed if it has no room in them."""
    if settings.VERIFICATION_LIMIT and total_minor > (most := _minor(settings.VERIFICATION_LIMIT)):
        raise LimitPassed(ONE_ORDER, most)
    own = _has_confirmed(user_id, email)
    limits = tuple(_limits(_parties(user_id, email, address, own=own), own=own, at=at))
    stored: dict[str, int] = {}
    for limit in limits:
        stored |= dict(SpendingSum.objects.filter(key__in=(*limit.keys, *limit.others)).values_list("key", "total_minor"))
        if max((stored.get(key, 0) for key in limit.keys), default=0) + total_minor > limit.most_minor:
            raise LimitPassed(limit.rule, limit.most_minor)
    return limits, stored


def is_counted(order_id: UUID) -> bool:
    return CountedOrder.objects.filter(order_id=order_id).exists()


def release(order_id: UUID) -> None:
    """Take an order that was cancelled without a payment out of its sums, in the transaction of the cancellation."""
    counted = CountedOrder.objects.filter(order_id=order_id).first()
    if counted is not None and CountedOrder.objects.filter(pk=counted.pk).delete()[0]:
        SpendingSum.objects.filter(key__in=counted.keys).update(total_minor=F("total_minor") - counted.total_minor)


def forget_old_sums(*, at: datetime) -> None:
    delete_in_chunks(CountedOrder.objects.filter(created_at__lt=at - 2 * KEEP))
    delete_in_chunks(SpendingSum.objects.filter(ends_at__lt=at - KEEP))


def words_of(text: str) -> list[str]:
    """Return the words of a name or address in small letters without accents and signs: `Łódź-Widzew` becomes `lodz`, `widzew`.

    What nobody sees is left out, so that it cannot hide a name.
    """
    decomposed = unicodedata.normalize("NFKD", UNSEEN.sub("", text).casefold().translate(LETTERS))
    seen = (sign for sign in decomposed if not unicodedata.combining(sign) and unicodedata.category(sign) != "Cf")
    return WORD.findall("".join(seen).replace("_", " ").casefold())  # NFKD makes capitals of letters for formulas


def place_of(address: Mapping[str, str]) -> str:
    """Return where an address is: street, postal code (the city, where there is none) and country, however they are written.

    The order of the street's words does not matter, nor do the flat, the name and the region: they are easily written otherwise.
    """
    street = " ".join(sorted(words_of(address.get("street", ""))))
    code = "".join(words_of(address.get("postalCode", ""))) or " ".join(words_of(address.get("city", "")))
    return f"{street}|{code}|{address.get('country', '').upper()}"


def mailbox_of(email: str) -> str:
    """Return the mailbox that a mail address leads to: in small letters, with a readable domain, and without the tag of `name+tag@`."""
    name, at, domain = readable_email(email.strip()).lower().rpartition("@")
    return f"{name.partition('+')[0] or name}{at}{domain}"


def _parties(user_id: UUID | None, email: str, address: Mapping[str, str], *, own: bool = False) -> list[str]:
    mail = [f"mail:{mailbox_of(email)}"] if email else []
    owner = [f"owner:{mailbox_of(email)}"] if own else []
    place = [f"address:{place_of(address)}"] if address else []
    return [*mail, *owner, *place, *([f"account:{user_id}"] if user_id else [])]


def _has_confirmed(user_id: UUID | None, email: str) -> bool:
    """Return whether the mail address belongs to the account for certain."""
    known = User.objects.filter(pk=user_id).values_list("verified_email", flat=True).first() if user_id and email else ""
    return bool(known) and mailbox_of(str(known)) == mailbox_of(email)


def _limits(parties: list[str], *, own: bool, at: datetime) -> Iterator[_Limit]:
    day = timezone.localtime(at, timezone.get_default_timezone()).replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    if settings.VERIFICATION_DAILY_LIMIT:
        rule = _("Orders of more than %(limit)s in one day need a verified buyer.")
        yield _limit(rule, settings.VERIFICATION_DAILY_LIMIT, f"{day:%Y-%m-%d}", parties, own, day + timedelta(days=1))
    if settings.VERIFICATION_MONTHLY_LIMIT:
        rule = _("Orders of more than %(limit)s in one month need a verified buyer.")
        yield _limit(rule, settings.VERIFICATION_MONTHLY_LIMIT, f"{day:%Y-%m}", parties, own, next_month)


def _limit(rule: str | Promise, most: Decimal, period: str, parties: list[str], own: bool, ends_at: datetime) -> _Limit:
    keys = {salted_hmac("spending", f"{period} {party}", algorithm="sha256").hexdigest(): party for party in sorted(parties)}
    others = tuple(key for key, party in keys.items() if own and party.startswith("mail:"))
    return _Limit(rule, _minor(most), tuple(sorted(keys.keys() - {*others})), others, ends_at)


def _minor(limit: Decimal) -> int:
    return limit_to_minor(limit, settings.CURRENCY)


def _make_row(key: str, ends_at: datetime) -> None:
    try:
        with atomic():
            SpendingSum.objects.create(key=key, ends_at=ends_at)
    except IntegrityError:
        pass  # another order made it
