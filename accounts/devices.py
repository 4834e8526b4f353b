"""Devices that a user has logged in from: browsers by a cookie, everything by its network. Nothing else about a device is looked at."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.mails import mail_new_device
from accounts.models import KnownDevice, User
from cryptons.client_address import client_ip
from cryptons.db import in_transaction, new_id

COOKIE = "device"
KEEP = timedelta(days=400)
"""After the last login from it. Browsers keep no cookie for longer."""
MOST = 50
"""Of each user; then the one that was seen longest ago is forgotten."""
SALT = "accounts.device"


def known_place(user: User | None, request: HttpRequest) -> str:
    """Return this browser if the user has logged in with it before, this address if they have from it, or "".

    It takes as long for a user who does not exist.
    """
    browser, network = _mark(f"browser:{_read_cookie(request)}"), _network_mark(request)
    owner = user.pk if user else new_id()
    known = set(KnownDevice.objects.filter(user_id=owner, mark__in=[browser, network]).values_list("mark", flat=True))
    return browser if browser in known else client_ip(request) if network in known else ""


def notice_login(request: HttpRequest, user: User, response: HttpResponse | None = None, *, is_expected: bool = False) -> None:
    """Remember where a login came from, and mail the user if neither the browser nor the network is known.

    `response` gets the cookie that makes the browser known; programs have none. The login that follows a registration is expected.
    """
    at, cookie = timezone.now(), _read_cookie(request)
    if response is not None:
        cookie = cookie or new_id().hex
        response.set_cookie(
            COOKIE, signing.dumps(cookie, salt=SALT), max_age=KEEP, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
    marks = [_network_mark(request), *([_mark(f"browser:{cookie}")] if cookie else [])]
    known = dict(KnownDevice.objects.filter(user=user, mark__in=marks).values_list("mark", "seen_at"))
    for mark in marks:
        _remember(user, mark, known.get(mark), at=at)
    if not known and not is_expected:
        in_transaction(lambda: mail_new_device(user, address=client_ip(request), at=at))


def forget_devices(user_id: UUID) -> None:
    """Take every device for new: a thief may have been among them."""
    KnownDevice.objects.filter(user_id=user_id).delete()


def _remember(user: User, mark: str, seen_at: datetime | None, *, at: datetime) -> None:
    if seen_at is None:
        try:
            in_transaction(lambda: KnownDevice.objects.create(user=user, mark=mark, seen_at=at))
        except IntegrityError:  # another login at the same moment
            return
        surplus = KnownDevice.objects.filter(user=user).order_by("-seen_at").values_list("pk", flat=True)[MOST:]
        KnownDevice.objects.filter(pk__in=list(surplus)).delete()
    elif at - seen_at > timedelta(days=1):
        KnownDevice.objects.filter(user=user, mark=mark).update(seen_at=at)


def _read_cookie(request: HttpRequest) -> str:
    try:
        return str(signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=KEEP))
    except signing.BadSignature:
        return ""


def _network_mark(request: HttpRequest) -> str:
    """Return the network by what counts as one client: where wrong tries are counted together, they are known together."""
    return _mark(f"network:{client_ip(request)}")


def _mark(text: str) -> str:
    return salted_hmac(SALT, text, algorithm="sha256").hexdigest()
