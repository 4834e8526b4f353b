"""Whether an order may be placed or get another invoice. The shop asks before it asks a node, and again in the order's transaction."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import User
from accounts.verification import sums
from accounts.verification.errors import OrderRefused, ScreeningUnavailable, VerificationNeeded
from accounts.verification.hits import note_hit, uncleared
from accounts.verification.models import Verification
from accounts.verification.sanctions import UnreadableList, current_list
from cryptons.audit.writing import write
from cryptons.db import in_transaction, retry_when
from cryptons.formats import money
from cryptons.mail.staff import mail_staff

logger = logging.getLogger(__name__)

OFF = "off"
PLACE = ("street", "street2", "postalCode", "city", "region")


@dataclass(frozen=True)
class Admission:
    """That an order may be placed, as far as one can say before its transaction."""

    user_id: UUID | None = None
    claim: sums.Claim | None = None

    def take(self, order_id: UUID) -> None:
        """Count the order, in its transaction. Raises VerificationNeeded when another one of the buyer was faster."""
        if self.claim is not None:
            try:
                self.claim.take(order_id)
            except sums.LimitPassed as error:
                raise _needed(error, self.user_id) from None


FREE = Admission()


def admit(
    user_id: UUID | None, email: str, address: Mapping[str, str], total_minor: int, *, at: datetime, order_id: UUID | None = None
) -> Admission:
    """Return the order's admission. `order_id`: of one that is placed already and gets another invoice.

    Raises VerificationNeeded, OrderRefused, ScreeningUnavailable.
    """
    if settings.SANCTIONS_LIST:
        _screen(user_id, email, address, at=at)
    if settings.VERIFICATION_PROVIDER == OFF or (user_id and is_verified(user_id)) or (order_id and sums.is_counted(order_id)):
        return FREE
    try:
        return Admission(user_id, sums.prepare_claim(user_id, email, address, total_minor, at=at))
    except sums.LimitPassed as error:
        raise _needed(error, user_id) from None


def need_of(
    user_id: UUID | None, total_minor: int, *, at: datetime, email: str = "", address: Mapping[str, str] | None = None
) -> VerificationNeeded | None:
    """Return what `admit` would raise about an order of this sum, so that buyers learn of it before they order. Writes nothing."""
    if settings.VERIFICATION_PROVIDER == OFF or (user_id and is_verified(user_id)):
        return None
    try:
        sums.check_room(user_id, email, address or {}, total_minor, at=at)
    except sums.LimitPassed as error:
        return _needed(error, user_id)
    return None


def release(order_id: UUID) -> None:
    """Stop counting an order, in the transaction that cancels it without a payment."""
    if settings.VERIFICATION_PROVIDER != OFF:
        sums.release(order_id)


def is_verified(user_id: UUID) -> bool:
    return Verification.objects.filter(user=user_id, status=Verification.Status.APPROVED).exists()


def verification_url() -> str:
    return settings.PUBLIC_URL + reverse("accounts:verification")


def _needed(error: sums.LimitPassed, user_id: UUID | None) -> VerificationNeeded:
    """Say which limit it is, and what the buyer does next."""
    rule = str(error.rule) % {"limit": money(error.most_minor, settings.CURRENCY)}
    found = Verification.objects.filter(user=user_id).first() if user_id else None
    status, url = found.status if found else "", verification_url()
    if user_id is None:
        then = _("Please log in or make an account, and verify your identity at %(url)s. Your cart is kept.")
    elif status == Verification.Status.PENDING:
        then = _("Your verification is being checked; we email you when it is done. Your cart is kept.")
    elif status == Verification.Status.REFUSED:
        then = _("Your identity could not be verified. Please contact us.")
    else:
        then = _("Please verify your identity at %(url)s. Your cart is kept.")
    return VerificationNeeded(f"{rule} {then % {'url': url}}", url)


def _screen(user_id: UUID | None, email: str, address: Mapping[str, str], *, at: datetime) -> None:
    """Raise OrderRefused for who is on the sanctions list, and ScreeningUnavailable if nobody can tell. Staff are told of both."""
    try:
        listed = current_list(settings.SANCTIONS_LIST)
    except UnreadableList as error:
        logger.error("the sanctions list cannot be read", extra={"error": str(error)})
        in_transaction(lambda: _mail_unreadable(at))
        raise ScreeningUnavailable(_("This order cannot be taken right now. Please try again later: your cart is kept.")) from error
    user = User.objects.filter(pk=user_id).first() if user_id else None
    name = address.get("name", "")
    names = [name, *([user.get_full_name()] if user else [])]
    entries = [*listed.find(names=names, address=[address.get(part, "") for part in PLACE], email=email)]
    if user:
        entries += listed.find(names=(), address=(), email=user.email)  # who orders with an account may give another mail address
    if hits := uncleared(entries, name, email):
        logger.warning("an order was refused: its buyer or address is on the sanctions list")
        refusal = OrderRefused(_("We cannot take this order. Please contact us."))
        for key, entry in hits.items():
            report = partial(_report_hit, key, entry, name, email, at=at)
            retry_when(IntegrityError, partial(in_transaction, report), failure=refusal)  # another order may note the same match first
        raise refusal


def _report_hit(key: str, entry: str, name: str, email: str, *, at: datetime) -> None:
    row = note_hit(key, entry, name, email, at=at)
    write("sanctions hit", "order", name=name, changes={"entry": ("", entry), "name": ("", name), "email": ("", email)})
    with override(settings.LANGUAGE_CODE):
        text = _(
            "An order was refused because it matches an entry of the sanctions list: %(entry)s. It was to be delivered to %(name)s and "
            "paid by %(email)s. If it is somebody else, clear the match: it then refuses none of their orders."
        )
        subject = _("An order matches the sanctions list")
    words = text % {"entry": entry, "name": name, "email": email}
    hit = salted_hmac("sanctions hit", f"{at:%Y-%m-%d} {email} {entry}", algorithm="sha256").hexdigest()
    mail_staff("verification", f"sanctions:{hit}", subject, words, path=reverse("admin:verification_sanctionshit_change", args=[row.pk]))


def _mail_unreadable(at: datetime) -> None:
    with override(settings.LANGUAGE_CODE):
        subject = _("The sanctions list cannot be read")
        text = _("The file of SANCTIONS_LIST cannot be read, so no order is taken. See the log for the reason, and put the file right.")
    mail_staff("verification", f"sanctions list:{at:%Y%m%d%H}", subject, text, path=reverse("admin:index"))
