"""Notice that a node's clock is wrong: it decides which payments are in time.

A node says its system's time only when it is asked for its health. Its payments also show the time that it works with.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from payments.models import Cursor, Payment
from payments.networks.base import Fact

TOLERATED = timedelta(minutes=2)
MINUTE = timedelta(minutes=1)


def note_clock(cursor: Cursor, facts: Iterable[Fact], *, at: datetime) -> None:
    """Store by how much the node's clock is off, if the payments that came since the last poll show it. In the caller's transaction.

    A payment from the future shows a fast clock. One that came since the last poll, and that the node dates before it, shows a slow one.
    """
    waiting = [fact for fact in facts if fact.is_present and fact.height is None and not fact.is_safe]
    if not waiting or cursor.answered_at is None:
        return
    newest = max(fact.first_seen_at for fact in waiting)
    seconds = 0
    if newest - at > TOLERATED:
        seconds = int((newest - at).total_seconds())
    elif old := [fact for fact in waiting if cursor.answered_at - fact.first_seen_at > TOLERATED]:
        fresh = Payment.objects.filter(network=cursor.network, reference__in=[fact.reference for fact in old], created_at__gte=at)
        told = fresh.order_by("-first_seen_at").values_list("first_seen_at", flat=True).first()
        if told is None:
            return
        seconds = int((told - at).total_seconds())
    if seconds != cursor.clock_off_seconds:
        Cursor.objects.filter(pk=cursor.pk).update(clock_off_seconds=seconds)


def clock_trouble(off: timedelta) -> str:
    """Say in a sentence by how much the node's clock is off; empty if that does not matter."""
    if abs(off) <= TOLERATED:
        return ""
    words = {"minutes": f"{round(abs(off) / MINUTE):,}"}
    if off > timedelta(0):
        return (
            _(
                "The node's clock is %(minutes)s minutes ahead of the shop's. Set both by a time server (NTP): the node's clock decides "
                "which payments are in time."
            )
            % words
        )
    return (
        _(
            "The node's clock is %(minutes)s minutes behind the shop's. Set both by a time server (NTP): the node's clock decides which "
            "payments are in time."
        )
        % words
    )
