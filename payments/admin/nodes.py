"""The admin's pages about the nodes and the Lightning channels. They change nothing, and a slow node does not keep staff waiting."""

from typing import Any

from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cryptons.coins import LIGHTNING
from cryptons.disk import read_disk
from cryptons.money import UNITS
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Cursor
from payments.networks.lightning.network import LightningNetwork, receivable_msat, spendable_msat
from payments.networks.registry import networks, offered_networks
from payments.polling import silent_networks
from payments.sync.node_health import NodeReport, read_nodes

STATE_WORDS = {"ok": ("✓", _("Ready")), "attention": ("!", _("Needs attention")), "trouble": ("✕", _("Not available"))}
"""By NodeReport.state: a sign and words, so that the page can be read without its colours."""


def nodes_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    now = timezone.now()
    rows = [_row(report) for report in read_nodes(at=now)]
    return _render(request, site, "payments/admin/nodes.html", title=gettext("Nodes"), rows=rows, disk=read_disk(), now=now)


def _row(report: NodeReport) -> dict[str, Any]:
    sign, words = STATE_WORDS[report.state]
    receivable, spendable = (
        None if base is None else base // 1000 for base in (report.health.receivable_base, report.health.spendable_base)
    )
    return {"report": report, "sign": sign, "words": words, "receivable_sat": receivable, "spendable_sat": spendable}


def channels_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    lnd = networks().get(LIGHTNING)
    if not isinstance(lnd, LightningNetwork):
        return _render(request, site, "payments/admin/channels.html", title=gettext("Lightning channels"))
    try:
        liquidity = lnd.liquidity()
    except (NodeUnavailable, NodeRejected) as error:
        return _render(request, site, "payments/admin/channels.html", title=gettext("Lightning channels"), problem=str(error))
    channels = sorted(liquidity.channels, key=lambda channel: (channel.is_active, -channel.capacity_sat))
    return _render(
        request,
        site,
        "payments/admin/channels.html",
        title=gettext("Lightning channels"),
        liquidity=liquidity,
        channels=channels,
        receivable_sat=receivable_msat(channels) // 1000,
        spendable_sat=spendable_msat(channels) // 1000,
        capacity_sat=sum(channel.capacity_sat for channel in channels),
        local_sat=sum(channel.local_sat for channel in channels),
        remote_sat=sum(channel.remote_sat for channel in channels),
    )


def last_turns() -> list[dict[str, Any]]:
    """Return for each network since when its follower has had no answer, or None, and whether it is silent. Asks no node."""
    offered = offered_networks()
    silent = silent_networks(offered, at=timezone.now())
    failing = dict(Cursor.objects.filter(network__in=offered).values_list("network", "failing_since"))
    return [
        {
            "network": network,
            "name": UNITS[network].name,
            "failing_since": failing.get(network),
            "is_silent": network in silent,
            "answered_at": silent.get(network),
        }
        for network in offered
    ]


def _render(request: HttpRequest, site: AdminSite, template: str, **context: Any) -> HttpResponse:
    return render(request, template, {**site.each_context(request), "opts": Cursor._meta, **context})
