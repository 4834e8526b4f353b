"""What the shop knows of addresses that it issued, for a wallet that is created again from the same descriptor."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from cryptons.coins import CoreCoin
from payments.models import Invoice, Option

CLOCKS = timedelta(hours=2)
"""How far a block's time may be off."""


@dataclass(frozen=True)
class IssuedAddresses:
    since: datetime | None
    """Before the oldest of them that may still be paid; None if there is none."""
    among: Callable[[Collection[str]], set[str]]
    """Returns those of the given addresses that were issued."""


NONE_ISSUED = IssuedAddresses(None, lambda addresses: set())


def issued_before(coin: CoreCoin) -> IssuedAddresses:
    """Return the addresses that were issued for orders. The shop's first start creates the wallet before the tables."""
    if Option._meta.db_table not in connection.introspection.table_names():
        return NONE_ISSUED
    network = coin.code

    def among(addresses: Collection[str]) -> set[str]:
        return set(Option.objects.filter(network=network, destination__in=addresses).values_list("destination", flat=True))

    watched = Invoice.objects.filter(monitor_until__gt=timezone.now(), options__network=network).order_by("created_at")
    oldest = watched.values_list("created_at", flat=True).first()
    return IssuedAddresses(oldest - CLOCKS if oldest else None, among)
