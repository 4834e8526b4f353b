"""Which voucher takes how much off a cart, and why one is refused."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.utils.translation import gettext as _

from cryptons.formats import money, short_moment
from shop.catalogue.reads import read_categories
from shop.models import MAX_CODE, Product, Voucher, VoucherGoods
from shop.pricing.totals import Discount, Priced, Totals, totals

LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


class ProductLine(Priced, Protocol):
    @property
    def product(self) -> Product | None: ...


@dataclass(frozen=True)
class AppliedVoucher:
    """A code, with the cart's totals after it. A refused one takes nothing off."""

    code: str
    totals: Totals
    voucher: Voucher | None = None
    refusal: str = ""
    """A sentence for the buyer; empty when it is used."""


def new_code() -> str:
    """Generate a code of ten letters and digits that are hard to confuse, which nobody can guess."""
    return "".join(secrets.choice(LETTERS) for _place in range(10))


def as_code(typed: str) -> str:
    """Return the code as it is stored."""
    return "".join(typed.replace("\x00", "").split()).upper()[:MAX_CODE]


def apply_voucher(code: str, lines: Sequence[ProductLine], *, at: datetime) -> AppliedVoucher:
    """Return what these lines cost with the voucher of this code, or why it is refused."""
    whole = totals(lines)
    voucher = Voucher.objects.filter(code=code, is_active=True).first()
    if voucher is None:
        return AppliedVoucher(code, whole, refusal=_("There is no voucher with the code %(code)s.") % {"code": code})
    places = _places(voucher, lines)
    base_minor = sum(whole.lines[place].subtotal_minor for place in places)
    less = totals(lines, Discount(voucher.percent, voucher.amount_minor, places))
    refusal = _refusal(voucher, base_minor, less, at=at)
    return AppliedVoucher(code, whole, refusal=refusal) if refusal else AppliedVoucher(code, less, voucher)


def _places(voucher: Voucher, lines: Sequence[ProductLine]) -> frozenset[int]:
    """Return the places of the lines that the voucher is for."""
    goods = list(VoucherGoods.objects.filter(voucher=voucher))
    if not goods:
        return frozenset(range(len(lines)))
    products = {row.product_id for row in goods}
    tree = read_categories()
    categories: set[UUID] = set()
    for row in goods:
        if row.category_id and (category := tree.get(row.category_id)):
            categories |= tree.ids_below(category)
    return frozenset(
        place
        for place, line in enumerate(lines)
        if line.product is not None and (line.product.pk in products or line.product.category_id in categories)
    )


def _refusal(voucher: Voucher, base_minor: int, less: Totals, *, at: datetime) -> str:
    names = {"code": voucher.code}
    if voucher.starts_at and at < voucher.starts_at:
        return _("Voucher %(code)s is valid from %(time)s.") % {**names, "time": short_moment(voucher.starts_at)}
    if voucher.ends_at and at >= voucher.ends_at:
        return _("Voucher %(code)s has expired.") % names
    if voucher.most_uses is not None and voucher.uses >= voucher.most_uses:
        return used_up(voucher)
    if base_minor < voucher.minimum_minor:
        message = _("Voucher %(code)s needs products worth %(minimum)s or more that it is valid for. Yours are worth %(worth)s.")
        return message % {**names, "minimum": money(voucher.minimum_minor), "worth": money(base_minor)}
    if not less.discount_minor:
        return _("Voucher %(code)s is not valid for these products.") % names
    if not less.total_minor:
        return _("Voucher %(code)s would leave nothing to pay, and an order must cost something. Please add another product.") % names
    return ""


def used_up(voucher: Voucher) -> str:
    return _("Voucher %(code)s has been used up.") % {"code": voucher.code}
