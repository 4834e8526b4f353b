"""Take and release the use of a voucher by conditional updates, so that none is used once too often.

An order uses its voucher while it holds its stock (D93 in docs/decisions.md). Both are taken in the caller's transaction.
"""

from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from cryptons.kept_sql import insert
from shop.errors import CartChanged, VoucherRefused
from shop.models import Order, Voucher, VoucherPerson
from shop.pricing.vouchers import used_up


def check_person(voucher: Voucher, *, email: str, account: UUID | None) -> None:
    """Raise VoucherRefused if another order of this person uses the voucher, and each person can use it once."""
    people = _people(email, account)
    if voucher.is_once_a_person and VoucherPerson.objects.filter(voucher=voucher, person__in=people).exclude(order=None).exists():
        raise VoucherRefused(_used_before(voucher))


def take_voucher(order: Order, voucher: Voucher) -> None:
    """Use the voucher for a new order, in its transaction, which an error must end.

    Raises VoucherRefused, CartChanged when the voucher was changed, and IntegrityError when another order of the same person is faster.
    """
    as_read = Voucher.objects.filter(is_active=True, percent=voucher.percent, amount_minor=voucher.amount_minor)
    if not _count_use(as_read.filter(pk=voucher.pk)):
        now = as_read.filter(pk=voucher.pk).first()
        raise VoucherRefused(used_up(now)) if now else CartChanged(_("The voucher has just changed. Please check your order again."))
    if not voucher.is_once_a_person:
        return
    for person in _people(order.email, order.user_id):
        mine = VoucherPerson.objects.filter(voucher=voucher, person=person)
        if mine.filter(order=None).update(order=order):
            continue
        if mine.exists():
            raise VoucherRefused(_used_before(voucher))
        insert([VoucherPerson(voucher=voucher, person=person, order=order)])


def take_voucher_again(order: Order) -> None:
    """Use the order's voucher once more, after it was released. Raises VoucherRefused with nothing taken, so a caller can go on.

    Its dates and whether it is active do not matter any more: the buyer was promised this price.
    """
    voucher = Voucher.objects.filter(pk=order.voucher_id).first() if order.voucher_id else None
    if voucher is None:
        return
    people = VoucherPerson.objects.filter(voucher=voucher, person__in=_people(order.email, order.user_id))
    if voucher.is_once_a_person:
        known = people.count()
        if people.filter(order=None).update(order=order) < known:
            people.filter(order=order).update(order=None)
            raise VoucherRefused(_used_before(voucher))
    if not _count_use(Voucher.objects.filter(pk=voucher.pk)):
        people.filter(order=order).update(order=None)
        raise VoucherRefused(used_up(voucher))


def release_voucher(order: Order) -> None:
    """Let others use what the order used. Call it once for each time that the order took it."""
    if order.voucher_id:
        Voucher.objects.filter(pk=order.voucher_id, uses__gt=0).update(uses=F("uses") - 1)
        VoucherPerson.objects.filter(voucher=order.voucher_id, order=order).update(order=None)


def _count_use(vouchers: QuerySet[Voucher]) -> bool:
    return bool(vouchers.filter(Q(most_uses=None) | Q(uses__lt=F("most_uses"))).update(uses=F("uses") + 1))


def _people(email: str, account: UUID | None) -> list[str]:
    """Return who the buyer is, sorted, so that two orders at once wait for each other in the same order."""
    known = {"mail": email.strip().lower(), "account": str(account or "")}
    return sorted(salted_hmac("vouchers", f"{kind}:{value}", algorithm="sha256").hexdigest() for kind, value in known.items() if value)


def _used_before(voucher: Voucher) -> str:
    message = _("Voucher %(code)s can be used once by each person, and another order with your email address or account uses it.")
    return message % {"code": voucher.code}
