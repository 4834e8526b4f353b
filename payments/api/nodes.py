"""Nodes and channels, for staff's programs."""

from datetime import datetime
from typing import Any

from django.core.cache import caches
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.permissions import may
from cryptons.api.schema import DECIMAL, TEXT, TIME, WHOLE, YES_NO, array, describe, nullable, one_of, shape
from cryptons.api.views import ApiView, success
from cryptons.coins import BITCOIN, LIGHTNING
from cryptons.money import format_coin
from payments.errors import NetworkNotOffered
from payments.networks.lightning.network import Channel, LightningNetwork, receivable_msat, spendable_msat
from payments.networks.registry import networks
from payments.sync.node_health import NodeReport, read_nodes

RECENT_SECONDS = 5
"""So long what the nodes said is told again: whoever polls costs them nothing."""

NODE = shape(
    network=TEXT,
    name=TEXT,
    status=one_of("ok", "attention", "trouble"),
    problem=TEXT,
    warnings=array(TEXT),
    checkedAt=TIME,
    latencyMs=nullable(WHOLE),
    height=nullable(WHOLE),
    behind=WHOLE,
    tipAt=nullable(TIME),
    peers=nullable(WHOLE),
    wallet=TEXT,
    nodeId=TEXT,
    version=TEXT,
    channels=nullable(shape(total=WHOLE, active=WHOLE, receivable=DECIMAL, spendable=DECIMAL)),
    follower=shape(answeredAt=nullable(TIME), failingSince=nullable(TIME), lastError=TEXT, height=nullable(WHOLE), behind=nullable(WHOLE)),
    oldestUnsettledAt=nullable(TIME),
    oldestUnsettledSeconds=nullable(WHOLE),
)
CHANNEL = shape(
    peer=TEXT,
    point=TEXT,
    capacity=DECIMAL,
    local=DECIMAL,
    remote=DECIMAL,
    receivable=DECIMAL,
    spendable=DECIMAL,
    active=YES_NO,
)
LIQUIDITY = shape(
    receivable=DECIMAL,
    spendable=DECIMAL,
    capacity=DECIMAL,
    local=DECIMAL,
    remote=DECIMAL,
    openingLocal=DECIMAL,
    openingRemote=DECIMAL,
    channels=array(CHANNEL),
)


def recent_nodes() -> list[dict[str, Any]]:
    """Each network as NODE, no older than RECENT_SECONDS."""
    cache = caches["shared"]
    shown: list[dict[str, Any]] | None = cache.get("recent-nodes")
    if shown is None:
        shown = [show_node(report) for report in read_nodes(at=timezone.now())]
        cache.set("recent-nodes", shown, RECENT_SECONDS)
    return shown


def show_node(report: NodeReport) -> dict[str, Any]:
    health, follower = report.health, report.follower
    return {
        "network": report.network,
        "name": report.name,
        "status": report.state,
        "problem": health.problem,
        "warnings": list(report.warnings),
        "checkedAt": report.checked_at,
        "latencyMs": report.milliseconds,
        "height": health.height,
        "behind": health.behind,
        "tipAt": health.tip_at,
        "peers": health.peers,
        "wallet": health.wallet,
        "nodeId": health.node_name,
        "version": health.version,
        "channels": _show_channels(report),
        "follower": {
            "answeredAt": follower.answered_at,
            "failingSince": follower.failing_since,
            "lastError": follower.last_error,
            "height": follower.tip_height,
            "behind": report.follower_behind,
        },
        "oldestUnsettledAt": report.oldest_unsettled_at,
        "oldestUnsettledSeconds": _seconds(report.oldest_unsettled_at, report.checked_at),
    }


def _show_channels(report: NodeReport) -> dict[str, Any] | None:
    health = report.health
    if health.channels is None:
        return None
    return {
        "total": health.channels,
        "active": health.active_channels or 0,
        "receivable": format_coin(health.receivable_base or 0, report.network),
        "spendable": format_coin(health.spendable_base or 0, report.network),
    }


def _seconds(then: datetime | None, now: datetime) -> int | None:
    return None if then is None else max(0, int((now - then).total_seconds()))


class LightningLiquidity(ApiView):
    permission_classes = [may("payments:read")]

    @describe("What can be received and sent over Lightning, channel by channel", data=LIQUIDITY, errors=[403], login=True)
    def get(self, request: Request) -> Response:
        lnd = networks().get(LIGHTNING)
        if not isinstance(lnd, LightningNetwork):
            raise NetworkNotOffered("No LND is configured.")
        stands = lnd.liquidity()
        channels = stands.channels
        return success(
            {
                "receivable": format_coin(receivable_msat(channels), LIGHTNING),
                "spendable": format_coin(spendable_msat(channels), LIGHTNING),
                "capacity": _btc(sum(channel.capacity_sat for channel in channels)),
                "local": _btc(sum(channel.local_sat for channel in channels)),
                "remote": _btc(sum(channel.remote_sat for channel in channels)),
                "openingLocal": _btc(stands.opening_local_sat),
                "openingRemote": _btc(stands.opening_remote_sat),
                "channels": [_show_channel(channel) for channel in channels],
            },
            headers={"Cache-Control": "no-store"},
        )


def _show_channel(channel: Channel) -> dict[str, Any]:
    return {
        "peer": channel.peer,
        "point": channel.point,
        "capacity": _btc(channel.capacity_sat),
        "local": _btc(channel.local_sat),
        "remote": _btc(channel.remote_sat),
        "receivable": _btc(channel.receivable_sat),
        "spendable": _btc(channel.sendable_sat),
        "active": channel.is_active,
    }


def _btc(amount_sat: int) -> str:
    return format_coin(amount_sat, BITCOIN.code)
