"""Alert staff of payments to a shared account that match no option: without a destination tag, or with a wrong one.

Their payers will probably ask for them, so there is one alert for each payment.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.utils.translation import gettext as _

from cryptons.chunks import chunks
from cryptons.coins import COINS, XRP
from cryptons.db import on_commit
from cryptons.formats import coins
from payments.alerts import alert
from payments.models import Alert, Option
from payments.networks.base import Fact
from payments.networks.payment_uri import split_destination

logger = logging.getLogger(__name__)

SHARED = {coin.code for coin in COINS.values() if coin.shares_account}
"""Networks on which all buyers pay to one account."""
SMALL = {XRP.code: 1_000_000}
"""Payments below this, in base units, are often sent as spam; an email to staff for each would be too many."""
MOST_A_DAY = 20
"""After so many alerts in a day, the small payments share one."""
DAY = timedelta(days=1)


def note_unmatched(network: str, facts: Iterable[Fact], *, at: datetime) -> None:
    """Alert staff of payments that match no option, inside the caller's transaction. Safe to repeat: each payment has one alert at most."""
    if network not in SHARED:
        return
    by_key = {f"unclaimed {network} {fact.reference}": fact for fact in facts}
    for chunk in chunks(by_key.items()):
        _note_chunk(network, dict(chunk), at=at)


def _note_chunk(network: str, facts: dict[str, Fact], *, at: datetime) -> None:
    asked = {fact.destination for fact in facts.values()}
    waited_for = set(Option.objects.filter(network=network, destination__in=asked).values_list("destination", flat=True))
    unmatched = {key: fact for key, fact in facts.items() if fact.destination not in waited_for}
    alerted = set(Alert.objects.filter(key__in=unmatched).values_list("key", flat=True))
    alerts_today = Alert.objects.filter(key__startswith=f"unclaimed {network} ", created_at__gt=at - DAY).count()
    for key, fact in unmatched.items():
        if key in alerted:
            continue
        if fact.amount_base >= SMALL[network] or alerts_today < MOST_A_DAY:
            alert(key, _sentence(network, fact), at=at)
            alerts_today += 1
        else:
            alert(f"unclaimed many {network} {at:%Y-%m-%d}", _sentence_of_many(network), at=at)
        extra = {"network": network, "reference": fact.reference}
        on_commit(partial(logger.warning, "money that no invoice waits for", extra=extra))


def _sentence(network: str, fact: Fact) -> str:
    address, tag = split_destination(fact.destination)
    words = {
        "amount": f"{coins(fact.amount_base, network)} {network}",
        "address": address,
        "tag": tag,
        "time": f"{fact.first_seen_at:%Y-%m-%d %H:%M:%S}",
        "transaction": fact.reference,
    }
    if tag:
        return (
            _(
                "%(amount)s was received at %(address)s on %(time)s UTC with the destination tag %(tag)s, which no invoice has. The payer "
                "will probably contact you: accept their invoice as paid, or send the payment back. Transaction %(transaction)s."
            )
            % words
        )
    return (
        _(
            "%(amount)s was received at %(address)s on %(time)s UTC without a destination tag. The payer will probably contact you: accept "
            "their invoice as paid, or send the payment back. Transaction %(transaction)s."
        )
        % words
    )


def _sentence_of_many(network: str) -> str:
    return _(
        "Too many small unmatched %(network)s payments were received to list each of them here. They are most likely advertising. "
        "manage.py reconcile --network %(network)s lists all of them."
    ) % {"network": network}
