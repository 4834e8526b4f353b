"""Report the health of each node to staff: what the node says now, whether its follower runs, and whether invoices wait to be settled."""

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db.models import Min
from django.utils.translation import gettext as _

from cryptons.fan_out import gather_within
from cryptons.money import UNITS
from payments.models import Cursor, Invoice, Payment
from payments.networks.base import CursorState, Network, NodeHealth
from payments.networks.cursors import left_behind
from payments.networks.registry import networks
from payments.networks.sandbox.network import SandboxNetwork
from payments.polling import is_silent
from payments.sync.address_gap import address_gap, gap_warning, has_addresses
from payments.sync.node_clock import clock_trouble
from payments.sync.replaced_node import is_replaced, open_alerts

logger = logging.getLogger(__name__)

WITHIN = timedelta(seconds=1.3)
"""For all nodes together, so that a page that shows them answers within two seconds even if no node does."""

SETTLING = timedelta(minutes=1)
"""Changed payments wait no longer than this for their invoice's verdict while a worker runs."""

MOST_TOUCHED = 1000


@dataclass(frozen=True)
class NodeReport:
    network: str
    name: str
    checked_at: datetime
    health: NodeHealth
    latency: timedelta | None
    """How long the node took to report its health; None when it did not answer in time."""
    follower: Cursor
    oldest_unsettled_at: datetime | None
    """When the oldest payment last changed whose invoice has no new verdict yet."""
    address_gap: int | None
    """How many of the wallet's newest addresses have received nothing; None where no wallet issues addresses."""
    warnings: tuple[str, ...]

    @property
    def state(self) -> str:
        """`ok`, `attention` (it works, but staff should look), or `trouble` (it cannot be used)."""
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
    """Return a report of each network that the shop offers. Takes no longer than WITHIN and a few queries."""
    offered = networks()
    answers = _ask(offered)
    followers = {cursor.network: cursor for cursor in Cursor.objects.filter(network__in=offered)}
    unsettled = _oldest_unsettled()
    alerts = open_alerts(at=at)
    return [
        _report(
            answers.get(network),
            followers.get(network) or Cursor(network=network),
            unsettled.get(network),
            alert=alerts.get(network, ""),
            at=at,
        )
        for network in offered
    ]


def _ask(offered: dict[str, Network]) -> dict[str, tuple[NodeHealth, timedelta]]:
    ours = {network: node for network, node in offered.items() if isinstance(node, SandboxNetwork)}  # its records are in our own database
    theirs = {network: partial(_timed, node) for network, node in offered.items() if network not in ours}
    return {network: _timed(node) for network, node in ours.items()} | (gather_within(theirs, within=WITHIN) if theirs else {})


def _timed(node: Network) -> tuple[NodeHealth, timedelta]:
    started = time.monotonic_ns()
    try:
        health = node.health()
    except Exception as error:  # a page about trouble is there for this too
        logger.exception("a node's health cannot be read")
        health = NodeHealth(
            problem=_("The node could not be asked: internal error (%(error)s), see the log.") % {"error": type(error).__name__}
        )
    return health, timedelta(microseconds=(time.monotonic_ns() - started) // 1000)


def _oldest_unsettled() -> dict[str, datetime]:
    """Return for each network when its oldest unsettled payment changed. Two queries, because some databases run the join slowly."""
    touched = list(Invoice.objects.touched().order_by("id").values_list("pk", flat=True)[:MOST_TOUCHED])
    if not touched:
        return {}
    oldest = Payment.objects.filter(invoice__in=touched).order_by().values("network").annotate(oldest=Min("updated_at"))
    return {row["network"]: row["oldest"] for row in oldest}


def _report(
    answer: tuple[NodeHealth, timedelta] | None, follower: Cursor, unsettled: datetime | None, *, alert: str, at: datetime
) -> NodeReport:
    name = UNITS[follower.network].name
    health, latency = answer or (
        NodeHealth(problem=_("The %(name)s node does not answer in time. Check whether it is responding.") % {"name": name}),
        None,
    )
    if not health.problem and (waiting := left_behind(follower)):
        health = replace(health, problem=" ".join(each.sentence for each in waiting))
    gap = address_gap(follower.network) if has_addresses(follower.network) else None
    warnings = [
        health.warning,
        gap_warning(follower.network, gap or 0),
        _another_node(follower, health),
        alert,
        clock_trouble(health.clock_off) or clock_trouble(timedelta(seconds=follower.clock_off_seconds)),
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
        address_gap=gap,
        warnings=tuple(warning for warning in warnings if warning),
    )


def _another_node(follower: Cursor, health: NodeHealth) -> str:
    former = CursorState(node_id=follower.node_id).node_name
    if not is_replaced(former, health.node_name):
        return ""
    return _("The node was replaced: this is %(node)s, and the follower knows %(former)s.") % {"node": health.node_name, "former": former}


def _follower_trouble(follower: Cursor, health: NodeHealth, *, at: datetime) -> str:
    if follower.failing_since is not None:
        words = {"since": f"{follower.failing_since:%Y-%m-%d %H:%M}", "error": follower.last_error}
        if follower.last_error == health.problem:
            return _("The follower has had no answer since %(since)s UTC.") % words
        return _("The follower has had no answer since %(since)s UTC: %(error)s") % words
    if follower.answered_at is None:
        return _("The node was never polled. Check that the worker runs.")
    if is_silent(follower.answered_at, at=at):
        last = f"{follower.answered_at:%Y-%m-%d %H:%M}"
        return _("The node has not been polled since %(last)s UTC, so payments are noticed late. Check that the worker runs.") % {
            "last": last
        }
    return ""


def _settling_trouble(unsettled: datetime | None, *, at: datetime) -> str:
    if unsettled is None or at - unsettled < SETTLING:
        return ""
    changed = f"{unsettled:%Y-%m-%d %H:%M}"
    return _("A payment that changed at %(changed)s UTC still waits to be processed. Check that the worker runs.") % {"changed": changed}
