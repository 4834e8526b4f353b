"""The code of a voucher in a request. Codes are counted for each client address, so that nobody can try them out."""

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request

from cryptons.api.errors import RateLimited
from cryptons.api.inputs import StrictString
from cryptons.api.permissions import has_permission, is_person
from shop.cart.voucher_limit import TooManyForms, count_code
from shop.models import MAX_CODE
from shop.pricing.vouchers import as_code


class VoucherField(StrictString):
    def __init__(self, **options: Any) -> None:
        words = "The code of a voucher, in small or capital letters. Without it, that of the cart's page; an empty one means none"
        super().__init__(max_length=MAX_CODE, allow_blank=True, help_text=words, **options)


def read_voucher(request: Request, values: Mapping[str, Any]) -> str | None:
    """Return the code as it is stored; None for that of the cart. Raises RateLimited, but not for programs that may change orders."""
    if "voucher" not in values:
        return None
    code = as_code(values["voucher"])
    if code and (is_person(request.user) or not has_permission(request.user, "orders:write")):
        try:
            count_code(request._request)
        except TooManyForms as error:
            raise RateLimited(str(error), headers=error.headers) from error
    return code
