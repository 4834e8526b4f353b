"""Once a day the books of the last days are compared, and staff are told of each difference, once."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptons.db import in_transaction
from payments.accounting.comparison import Difference
from payments.accounting.payouts import check_payouts
from payments.accounting.periods import Period
from payments.accounting.reconcile import YOUNG, Report, reconcile
from payments.alerts import alert

logger = logging.getLogger(__name__)

DAYS = timedelta(days=3)
"""A run or two may be missed: a node may be away, the shop may be off."""
MOST_ALERTS = 50
"""Of one run. Another node than before knows of nothing that was paid: one alert more says how many there are."""


def reconcile_recent(*, at: datetime) -> None:
    """What is younger than YOUNG is left to the next run: it may still be under way."""
    _tell_staff(reconcile(Period(at - DAYS, at - YOUNG), at=at), at)


def reconcile_recent_payouts(*, at: datetime) -> None:
    _tell_staff(check_payouts(Period(at - DAYS, at - YOUNG)), at)


def _tell_staff(report: Report, at: datetime) -> None:
    for key, text in _alerts(report, at):
        logger.warning("the books differ", extra={"error": text})
        in_transaction(lambda key=key, text=text: alert(key, text, at=at))  # type: ignore[misc]


def _alerts(report: Report, at: datetime) -> Iterator[tuple[str, str]]:
    """(key, text) of each."""
    day = f"{at:%Y-%m-%d}"
    for network, problem in report.unread.items():
        text = f"The books of {network} could not be compared with the shop's on {day}: {problem} Then run manage.py reconcile."
        yield f"reconcile unread {network} {day}", text
    told = report.alarms[:MOST_ALERTS]
    yield from ((difference.key, _sentence(difference)) for difference in told)
    if rest := len(report.alarms) - len(told):
        text = f"There are {rest} more differences between the shop's books and the nodes'. manage.py reconcile lists them all."
        yield f"reconcile more {day}", text


def _sentence(difference: Difference) -> str:
    where = f"{difference.network}, {difference.subject}: " if difference.network else ""
    return f"The books differ ({difference.kind}). {where}{difference.text}"
