"""How each node is, for staff: what it says of itself now, how its follower stands, and whether facts wait for their verdict."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min

from cryptons.fan_out import gather_within
from cryptons.money import UNITS
from payments.models import Cursor, Invoice, Payment
from payments.networks.base import CursorState, Network, NodeHealth
from payments.networks.registry import is_sandbox, networks
from payments.sync.replaced_node import is_replaced, standing_alerts

logger = logging.getLogger(__name__)

WITHIN = timedelta(seconds=1.3)
"""For all nodes together: a page that shows them answers within two seconds although none of them does."""

SILENT = timedelta(minutes=2)
"""A follower that was heard this long ago has stopped, unless FOLLOW_SECONDS is set to more."""

SETTLING = timedelta(minutes=1)
"""Facts wait no longer than this for their verdict while a worker runs."""

MOST_TOUCHED = 1000


@dataclass(frozen=True)
class NodeReport:
    network: str
    name: str
    checked_at: datetime
    health: NodeHealth
    latency: timedelta | None
    """How long its health took to be known; None when nothing came in time."""
    follower: Cursor
    oldest_unsettled_at: datetime | None
    """When the oldest payment last changed whose invoice has no new verdict yet."""
    warnings: tuple[str, ...]

    @property
    def state(self) -> str:
        """`ok`, `attention` (it serves, and somebody should look), or `trouble` (it cannot be used)."""
        return "trouble" if self.health.problem else "attention" if self.warnings else "ok"

    @property
    def has_answered(self) -> bool:
        return self.health.height is not None or self.health.channels is not None

    @property
    def milliseconds(self) -> int | None:
        """How long the node took to answer; None when it did not."""
        return self.latency // timedelta(milliseconds=1) if self.latency is not None and self.has_answered else None

    @property
    def follower_behind(self) -> int | None:
        """Blocks between the node's tip and the one that the follower read to."""
        if self.health.height is None or self.follower.tip_height is None:
            return None
        return max(0, self.health.height - self.follower.tip_height)


def read_nodes(*, at: datetime) -> list[NodeReport]:
    """A report of each network that the shop offers. Never takes longer than WITHIN and a few queries."""
    offered = networks()
    told = _ask(offered)
    followers = {cursor.network: cursor for cursor in Cursor.objects.filter(network__in=offered)}
    unsettled = _oldest_unsettled()
    alerts = standing_alerts(at=at)
    return [
        _report(
            told.get(network),
            followers.get(network) or Cursor(network=network),
            unsettled.get(network),
            alert=alerts.get(network, ""),
            at=at,
        )
        for network in offered
    ]


def _ask(offered: dict[str, Network]) -> dict[str, tuple[NodeHealth, timedelta]]:
    if is_sandbox():  # its books are in our own database
        return {network: _timed(node) for network, node in offered.items()}
    return gather_within({network: lambda node=node: _timed(node) for network, node in offered.items()}, within=WITHIN)  # type: ignore[misc]


def _timed(node: Network) -> tuple[NodeHealth, timedelta]:
    started = time.monotonic_ns()
    try:
        health = node.health()
    except Exception as error:  # a page about trouble is there for this too
        logger.exception("a node's health cannot be told")
        health = NodeHealth(problem=f"It could not be asked: the shop met an error of its own ({type(error).__name__}). Its log says more.")
    return health, timedelta(microseconds=(time.monotonic_ns() - started) // 1000)


def _oldest_unsettled() -> dict[str, datetime]:
    """By network. Two plain queries: some databases join all payments before they look for the few."""
    touched = list(Invoice.objects.touched().order_by("id").values_list("pk", flat=True)[:MOST_TOUCHED])
    if not touched:
        return {}
    oldest = Payment.objects.filter(invoice__in=touched).order_by().values("network").annotate(oldest=Min("updated_at"))
    return {row["network"]: row["oldest"] for row in oldest}


def _report(
    told: tuple[NodeHealth, timedelta] | None, follower: Cursor, unsettled: datetime | None, *, alert: str, at: datetime
) -> NodeReport:
    name = UNITS[follower.network].name
    health, latency = told or (NodeHealth(problem=f"The {name} node does not answer in time: does it hang?"), None)
    warnings = [
        health.warning,
        _another_node(follower, health),
        alert,
        _follower_trouble(follower, health, at=at),
        _settling_trouble(unsettled, at=at),
    ]
    return NodeReport(
        network=follower.network,
        name=name,
        checked_at=at,
        health=health,
        latency=latency,
        follower=follower,
        oldest_unsettled_at=unsettled,
        warnings=tuple(warning for warning in warnings if warning),
    )


def _another_node(follower: Cursor, health: NodeHealth) -> str:
    former = CursorState(node_id=follower.node_id).node_name
    if not is_replaced(former, health.node_name):
        return ""
    return f"This is another node than the follower's: it was replaced. It is {health.node_name}, the follower knows {former}."


def _follower_trouble(follower: Cursor, health: NodeHealth, *, at: datetime) -> str:
    if follower.failing_since is not None:
        if follower.last_error == health.problem:
            return f"Its follower gets no answer since {follower.failing_since:%Y-%m-%d %H:%M} UTC."
        return f"Its follower gets no answer since {follower.failing_since:%Y-%m-%d %H:%M} UTC: {follower.last_error}"
    if follower.answered_at is None:
        return "Nobody has listened to it yet: does the worker run?"
    if at - follower.answered_at > max(SILENT, timedelta(seconds=3 * settings.FOLLOW_SECONDS)):
        return f"Nobody has listened to it since {follower.answered_at:%Y-%m-%d %H:%M} UTC: does the worker run?"
    return ""


def _settling_trouble(unsettled: datetime | None, *, at: datetime) -> str:
    if unsettled is None or at - unsettled < SETTLING:
        return ""
    return f"A payment that changed at {unsettled:%Y-%m-%d %H:%M} UTC still waits for its verdict: does the worker run?"
