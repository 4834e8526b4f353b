"""Reconcile the last days once a day, and alert staff once of each difference."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.db import in_transaction
from payments.accounting.comparison import Difference
from payments.accounting.payouts import reconcile_payouts
from payments.accounting.periods import Period
from payments.accounting.reconcile import YOUNG, Report, reconcile
from payments.alerts import alert

logger = logging.getLogger(__name__)

DAYS = timedelta(days=3)
"""How far back a run looks: one or two runs may be missed while a node or the shop is away."""
MOST_ALERTS = 50
"""In one run. A node that was replaced knows none of the old payments; one more alert says how many differences there are."""


def reconcile_recent(*, at: datetime) -> None:
    """Reconcile the payments of the last days. Those younger than YOUNG are left to the next run, because they may be incomplete."""
    _alert_staff(reconcile(Period(at - DAYS, at - YOUNG), at=at), at)


def reconcile_recent_payouts(*, at: datetime) -> None:
    """Reconcile the payouts of the last days, in the worker that can read the payout wallets."""
    _alert_staff(reconcile_payouts(Period(at - DAYS, at - YOUNG)), at)


def _alert_staff(report: Report, at: datetime) -> None:
    for key, text in _alerts(report, at):
        logger.warning("reconciliation found a difference", extra={"error": text})
        in_transaction(lambda key=key, text=text: alert(key, text, at=at))  # type: ignore[misc]


def _alerts(report: Report, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield the key and the text of each alert."""
    day = f"{at:%Y-%m-%d}"
    for network, problem in report.unread.items():
        text = _(
            "The records of %(network)s could not be compared with the shop's on %(day)s: %(problem)s "
            "When this is fixed, run manage.py reconcile."
        ) % {"network": network, "day": day, "problem": problem}
        yield f"reconcile unread {network} {day}", text
    reported = report.alarms[:MOST_ALERTS]
    yield from ((difference.key, _sentence(difference)) for difference in reported)
    if rest := len(report.alarms) - len(reported):
        text = ngettext(
            "There is %(count)d more difference between the shop and its nodes. manage.py reconcile lists them all.",
            "There are %(count)d more differences between the shop and its nodes. manage.py reconcile lists them all.",
            rest,
        ) % {"count": rest}
        yield f"reconcile more {day}", text


def _sentence(difference: Difference) -> str:
    words = {
        "kind": difference.kind.label,
        "network": difference.network,
        "subject": difference.subject,
        "text": difference.text,
    }
    if difference.network:
        return _("Reconciliation found a difference (%(kind)s). %(network)s, %(subject)s: %(text)s") % words
    return _("Reconciliation found a difference (%(kind)s). %(text)s") % words
