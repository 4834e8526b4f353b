"""Count the addresses that a wallet issued since the last one that was paid, and alert staff when they are many.

Another wallet with the same public key looks only so many addresses ahead for money (BIP 44: 20), and does not show what comes after.
"""

from datetime import datetime
from functools import partial

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from cryptons.coins import COINS, CoreCoin
from cryptons.db import in_transaction
from payments.alerts import alert
from payments.models import Option, Payment
from payments.networks.registry import is_sandbox, offered_networks

MOST_COUNTED = 1000


def has_addresses(network: str) -> bool:
    """Return whether a wallet issues an address for each order of this network. The sandbox's belong to no wallet."""
    return isinstance(COINS.get(network), CoreCoin) and not is_sandbox()


def address_gap(network: str) -> int:
    """Return how many addresses in a row, up to the newest, have received nothing: at most MOST_COUNTED."""
    return _newest_unpaid(network)[0]


def gap_warning(network: str, gap: int) -> str:
    """Say what a gap above GAP_LIMIT means; an empty text for a smaller one."""
    if gap <= settings.GAP_LIMIT:
        return ""
    return _(
        "The last %(gap)s addresses of the %(network)s wallet have received nothing. The shop sees every payment, but another wallet with "
        "the same public key may not show the next ones: set its gap limit higher than this."
    ) % {"gap": gap, "network": network}


def alert_of_gaps(*, at: datetime) -> None:
    """Alert staff once for each row of addresses without a payment that becomes longer than GAP_LIMIT."""
    for network in filter(has_addresses, offered_networks()):
        gap, last_paid = _newest_unpaid(network)
        with override(settings.LANGUAGE_CODE):
            warning = gap_warning(network, gap)
        if warning:
            in_transaction(partial(alert, f"gap {network} {last_paid}", warning, at=at))


def _newest_unpaid(network: str) -> tuple[int, str]:
    """Return the number of newest options without a payment, and the id of the newest one with a payment: empty if there is none."""
    options = Option.objects.filter(network=network, invoice__is_sandbox=False).order_by("-id")
    newest = list(options.values_list("pk", flat=True)[:MOST_COUNTED])
    paid = set(Payment.objects.filter(option__in=newest).values_list("option", flat=True))
    gap, last_paid = next(((number, str(option)) for number, option in enumerate(newest) if option in paid), (len(newest), ""))
    return gap, last_paid
