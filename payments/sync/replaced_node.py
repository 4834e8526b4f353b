"""A node that took another's place, by intent or by mistake: staff are told, and nothing is forgotten that only the former one knows."""

import logging
from datetime import datetime

from payments.alerts import alert
from payments.invoices.opening import MONITOR
from payments.models import Alert, Cursor, Option
from payments.networks.base import CursorState

logger = logging.getLogger(__name__)

KIND = "node-replaced "
"""How the keys of these alerts begin; then come the network and the time."""


def is_replaced(former: str, now: str) -> bool:
    """Whether these names belong to two nodes; an empty one is nobody's."""
    return bool(former and now and former != now)


def tell_staff(cursor: Cursor, now: CursorState, *, at: datetime) -> None:
    """In the transaction that moves the cursor, so once for each time that a node takes another's place."""
    former = CursorState(node_id=cursor.node_id).node_name
    if not is_replaced(former, now.node_name):
        return
    waiting = Option.objects.filter(network=cursor.network, is_closed=False).count()
    alert(
        f"{_prefix(cursor.network)}{at.isoformat()}",
        (
            f"Another {cursor.network} node answers since {at:%Y-%m-%d %H:%M} UTC: {now.node_name} instead of {former}. "
            f"{waiting} open invoice{' was' if waiting == 1 else 's were'} made before: they are paid to the former node, and it alone "
            "tells of that money. If this was a mistake, set the shop to the former node again: what was paid there is found then."
        ),
        at=at,
    )
    logger.warning("another node answers", extra={"network": cursor.network, "error": f"{now.node_name} instead of {former}"})


def replaced_at(network: str) -> datetime | None:
    """When the node that answers now was first met in another's place; None while it is the first."""
    told = Alert.objects.filter(key__startswith=_prefix(network)).order_by("-created_at")
    return told.values_list("created_at", flat=True).first()


def standing_alerts(*, at: datetime) -> dict[str, str]:
    """By network, what staff have not closed yet, while the former node's invoices are still watched."""
    told = Alert.objects.filter(key__startswith=KIND, closed_at=None, created_at__gt=at - MONITOR).order_by("created_at")
    return {key.removeprefix(KIND).partition(" ")[0]: text for key, text in told.values_list("key", "text")}


def _prefix(network: str) -> str:
    return f"{KIND}{network} "
