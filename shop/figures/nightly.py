"""Count the last days again once a day, and alert staff if the figures differ from it."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from cryptons.db import in_transaction
from payments.alerts import alert
from shop.figures.counting import count_orders
from shop.figures.models import FigureState
from shop.figures.recounting import differences
from shop.figures.sales import day_of

logger = logging.getLogger(__name__)

DAYS = timedelta(days=3)
"""How far back a check looks: one or two may be missed while the worker is off."""


def check_figures(*, at: datetime) -> None:
    since = day_of(at - DAYS)
    if FigureState.objects.filter(is_recounting=True).exists():
        _alert(_("A recount of the figures was not completed. Run manage.py recount_figures again."), at)
        return
    count_orders()
    found = differences(since)
    if not found:
        return
    count_orders()  # orders that changed while the figures were compared
    lasting = [difference for difference in differences(since) if difference in found]
    for difference in lasting:
        logger.warning("the figures differ from the orders", extra={"error": str(difference)})
    if lasting:
        with override(settings.LANGUAGE_CODE):
            days = ", ".join(sorted({f"{difference.key.day}" for difference in lasting}))
            text = _("The figures of %(days)s differ from the orders. Run manage.py recount_figures to count all orders again.")
        _alert(text % {"days": days}, at)


def _alert(text: str, at: datetime) -> None:
    in_transaction(lambda: alert(f"figures {at:%Y-%m-%d}", text, at=at))
