"""Alert staff of payments that match no option: to a shared account without a destination tag or with a wrong one, or for an unknown order.

An order is unknown when the shop was restored from a backup that is older than the order. The payers will probably ask for their money, so
there is one alert for each payment.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.utils.translation import gettext as _

from cryptons.chunks import chunks
from cryptons.coins import COINS, XRP
from cryptons.db import on_commit
from cryptons.formats import network_amount
from payments.alerts import alert
from payments.models import Alert, Option, Payment
from payments.networks.base import ORDER_LABEL, Fact
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
        facts = _unknown_orders(network, [fact for fact in facts if fact.is_present and fact.label.startswith(ORDER_LABEL)])
    by_key = {f"unclaimed {network} {fact.reference}": fact for fact in facts}
    for chunk in chunks(by_key.items()):
        _note_chunk(network, dict(chunk), at=at)


def _unknown_orders(network: str, facts: list[Fact]) -> list[Fact]:
    """Return those that no payment of the shop has. Almost all of them have one, so most polls ask for no option."""
    booked: set[str] = set()
    for chunk in chunks(facts):
        names = [fact.reference for fact in chunk]
        booked.update(Payment.objects.filter(network=network, reference__in=names).values_list("reference", flat=True))
    return [fact for fact in facts if fact.reference not in booked]


def _note_chunk(network: str, facts: dict[str, Fact], *, at: datetime) -> None:
    asked = {fact.destination for fact in facts.values()}
    waited_for = set(Option.objects.filter(network=network, destination__in=asked).values_list("destination", flat=True))
    unmatched = {key: fact for key, fact in facts.items() if fact.destination not in waited_for}
    alerted = set(Alert.objects.filter(key__in=unmatched).values_list("key", flat=True))
    alerts_today = Alert.objects.filter(key__startswith=f"unclaimed {network} ", created_at__gt=at - DAY).count()
    for key, fact in unmatched.items():
        if key in alerted:
            continue
        if fact.amount_base >= SMALL.get(network, 0) or alerts_today < MOST_A_DAY:
            alert(key, _sentence(network, fact), at=at)
            alerts_today += 1
        else:
            alert(f"unclaimed many {network} {at:%Y-%m-%d}", _sentence_of_many(network), at=at)
        extra = {"network": network, "reference": fact.reference}
        on_commit(partial(logger.warning, "money that no invoice waits for", extra=extra))


def _sentence(network: str, fact: Fact) -> str:
    if fact.label:
        return _(
            "%(amount)s was received at %(address)s on %(time)s UTC. The wallet issued this address for the order %(order)s, which the "
            "shop does not know: was it restored from a backup? Find the buyer in your mails, and send the goods or the money. Transaction "
            "%(transaction)s."
        ) % {
            "amount": network_amount(fact.amount_base, network),
            "address": fact.destination,
            "time": f"{fact.first_seen_at:%Y-%m-%d %H:%M:%S}",
            "order": fact.label.removeprefix(ORDER_LABEL),
            "transaction": fact.reference,
        }
    address, tag = split_destination(fact.destination)
    words = {
        "amount": network_amount(fact.amount_base, network),
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
