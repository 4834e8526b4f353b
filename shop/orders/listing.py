"""What lists of orders show of the goods, and how they are searched."""

from django.db.models import Q, QuerySet
from django.utils.translation import ngettext

from accounts.addresses import country_name
from cryptons.chunks import CHUNK, chunks
from shop.models import Order, OrderLine
from shop.orders.order_link import normalize

NEWEST = 5_000
"""How many orders of a list are looked through, newest first: their addresses may be encrypted, so the database cannot search them."""


def goods_in_short(order: Order) -> str:
    """Write the first of the goods, and how many more there are. The list should have read the lines of all its orders at once."""
    lines = list(order.lines.all())
    if not lines:
        return ""
    more = len(lines) - 1
    words = ngettext("%(goods)s and %(count)d more", "%(goods)s and %(count)d more", more)
    return words % {"goods": lines[0], "count": more} if more else str(lines[0])


def find_orders(orders: QuerySet[Order], text: str) -> QuerySet[Order]:
    """Select the order with this number, and those whose address or whose goods have all words of the text, at most CHUNK of them."""
    words = text.casefold().split()
    found: set[object] = set()
    newest = orders.prefetch_related(None).order_by("-created_at", "-id").values_list("pk", "shipping_address")[:NEWEST]
    for rows in chunks(newest) if words and "@" not in text else ():
        found.update(pk for pk, address in rows if all(word in _written(address) for word in words))
        lines = OrderLine.objects.filter(order_id__in=[pk for pk, _address in rows])
        for word in words:
            lines = lines.filter(Q(name__icontains=word) | Q(sku__icontains=word))
        found.update(lines.values_list("order_id", flat=True))
        if len(found) >= CHUNK:
            break
    return orders.filter(Q(number=normalize(text.removeprefix("order_"))) | Q(pk__in=list(found)))


def _written(address: dict[str, str]) -> str:
    return " ".join([*address.values(), country_name(address.get("country", ""))]).casefold()
