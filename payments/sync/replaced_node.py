"""Detect that a node was replaced, on purpose or by mistake: alert staff, and keep what only the former node knows."""

import logging
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.db import in_transaction
from payments.alerts import alert
from payments.invoices.opening import MONITOR
from payments.models import Alert, Cursor, Option
from payments.networks.base import CursorState
from payments.networks.cursors import left_behind, stored_wallets

logger = logging.getLogger(__name__)

KIND = "node-replaced "
"""The beginning of the keys of these alerts; the network and the time follow."""


def is_replaced(former: str, now: str) -> bool:
    """Tell whether these are the names of two nodes; an empty name is unknown."""
    return bool(former and now and former != now)


def tell_staff(cursor: Cursor, now: CursorState, *, at: datetime) -> None:
    """Tell staff, once for each replacement, in the transaction that moves the cursor."""
    former = CursorState(node_id=cursor.node_id).node_name
    if not is_replaced(former, now.node_name):
        return
    waiting = Option.objects.filter(network=cursor.network, is_closed=False).count()
    alert(
        f"{_prefix(cursor.network)}{at.isoformat()}",
        ngettext(
            "Since %(since)s UTC another %(network)s node answers: %(node)s instead of %(former)s. %(waiting)s open invoice is paid to the "
            "former node, and only that node knows of its payment. If this was a mistake, connect the shop to the former node again: then "
            "payments made there are detected.",
            "Since %(since)s UTC another %(network)s node answers: %(node)s instead of %(former)s. %(waiting)s open invoices are paid to "
            "the former node, and only that node knows of their payments. If this was a mistake, connect the shop to the former node "
            "again: then payments made there are detected.",
            waiting,
        )
        % {
            "since": f"{at:%Y-%m-%d %H:%M}",
            "network": cursor.network,
            "node": now.node_name,
            "former": former,
            "waiting": waiting,
        },
        at=at,
    )
    logger.warning("another node answers", extra={"network": cursor.network, "error": f"{now.node_name} instead of {former}"})


def tell_staff_of_wallet(cursor: Cursor, now: CursorState, *, at: datetime) -> None:
    """Tell staff, once for each change, that another wallet is in use while something waits at the former one.

    In the transaction that moves the cursor.
    """
    if is_replaced(CursorState(node_id=cursor.node_id).node_name, now.node_name):
        return  # staff were told of that
    if not cursor.wallets or not now.wallets or cursor.wallets[0]["identity"] == now.wallets[0].identity:
        return
    changed = Cursor(network=cursor.network, wallets=stored_wallets(now))
    for waiting in left_behind(changed):
        if waiting.wallet.identity == cursor.wallets[0]["identity"]:
            advice = _("If this was a mistake, set the former wallet and descriptor again.")
            alert(f"wallet-replaced {cursor.network} {at.isoformat()}", f"{cursor.network}: {waiting.sentence} {advice}", at=at)
            logger.warning("another wallet is in use", extra={"network": cursor.network, "error": waiting.sentence})


def another_chain_accepted(cursor: Cursor, problem: str, *, at: datetime) -> bool:
    """Alert staff, once for each chain, that the node follows another one. Returns whether somebody closed the alert and so accepted it."""
    key = f"another-chain {cursor.network} {cursor.value}"
    text = _(
        "%(problem)s Invoices are open or payments are not final, so nothing is taken for lost, and %(network)s is not offered. Connect "
        "the shop to the former node again. Only if the former chain no longer exists, close this alert: then the shop follows this chain, "
        "and payments that it does not contain are gone."
    ) % {"problem": problem, "network": cursor.network}
    in_transaction(lambda: alert(key, text, at=at))
    return Alert.objects.filter(key=key, closed_at__isnull=False).exists()


def replaced_at(network: str) -> datetime | None:
    """Return when the present node replaced the former one; None if no node was ever replaced."""
    alerts = Alert.objects.filter(key__startswith=_prefix(network)).order_by("-created_at")
    return alerts.values_list("created_at", flat=True).first()


def open_alerts(*, at: datetime) -> dict[str, str]:
    """Return the open alerts by network, while the former node's invoices are still watched."""
    alerts = Alert.objects.filter(key__startswith=KIND, closed_at=None, created_at__gt=at - MONITOR).order_by("created_at")
    return {key.removeprefix(KIND).partition(" ")[0]: text for key, text in alerts.values_list("key", "text")}


def _prefix(network: str) -> str:
    return f"{KIND}{network} "
