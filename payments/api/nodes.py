"""Nodes and Lightning channels, for programs of the staff."""

from typing import Any

from django.core.cache import caches
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import NotFound
from cryptons.api.permissions import may
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from cryptons.coins import LIGHTNING
from payments.api.outputs import LiquiditySerializer, NodeSerializer
from payments.networks.lightning.network import LightningNetwork
from payments.networks.registry import networks
from payments.sync.node_health import read_nodes

RECENT_SECONDS = 5
"""How long a report on the nodes is cached: polling does not ask them again."""


def recent_nodes() -> list[dict[str, Any]]:
    """Return each network as NodeSerializer shows it, in the active language, no older than RECENT_SECONDS."""
    cache, key = caches["shared"], f"recent-nodes:{get_language()}"
    shown: list[dict[str, Any]] | None = cache.get(key)
    if shown is None:
        shown = [NodeSerializer.serialize(report) for report in read_nodes(at=timezone.now())]
        cache.set(key, shown, RECENT_SECONDS)
    return shown


class LightningLiquidity(ApiView):
    permission_classes = [may("nodes:read")]

    @describe("Get the liquidity of Lightning", data=LiquiditySerializer, errors=[404], scope="nodes:read")
    def get(self, request: Request) -> Response:
        lnd = networks().get(LIGHTNING)
        if not isinstance(lnd, LightningNetwork):
            raise NotFound(_("No LND is configured."))
        return success(LiquiditySerializer.serialize(lnd.liquidity()), headers={"Cache-Control": "no-store"})
