"""Tell whether each network is polled regularly. While one is not, its payments are noticed late, though they still count as punctual."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings

from payments.models import Cursor, Invoice

SILENT = timedelta(minutes=2)
"""A network whose last answer is older was not polled, or its node is away; three turns if FOLLOW_SECONDS is larger."""


def silent_after() -> timedelta:
    return max(SILENT, timedelta(seconds=3 * settings.FOLLOW_SECONDS))


def is_silent(answered_at: datetime, *, at: datetime) -> bool:
    return at - answered_at > silent_after()


def silent_networks(offered: Collection[str], *, at: datetime) -> dict[str, datetime | None]:
    """Return when each network that is silent answered last. One that never did counts once an invoice has waited for it."""
    answered = dict(Cursor.objects.filter(network__in=offered).values_list("network", "answered_at"))
    silent = {network: last for network in offered if (last := answered.get(network)) is None or is_silent(last, at=at)}
    if None in silent.values() and not Invoice.objects.filter(created_at__lt=at - silent_after()).exists():
        return {network: last for network, last in silent.items() if last is not None}
    return silent


def unpolled_networks(offered: Collection[str], *, at: datetime) -> dict[str, datetime | None]:
    """Return the silent networks without those whose nodes do not answer: no worker polls them."""
    away = set(Cursor.objects.filter(failing_since__isnull=False).values_list("network", flat=True))
    return {network: last for network, last in silent_networks(offered, at=at).items() if network not in away}
