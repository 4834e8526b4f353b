"""Read periods of time in UTC from a command line or from the address of a page."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

FIRST_YEAR, LAST_YEAR = 2009, 9000
"""Bitcoin's first block, and what every database can still hold."""


@dataclass(frozen=True)
class Period:
    """A period that includes `since` and ends before `until`; None is an open end."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)

    def of(self, field: str) -> Q:
        """Filter a queryset by a field whose time lies in the period."""
        bounds: dict[str, Any] = {f"{field}__gte": self.since, f"{field}__lt": self.until}
        return Q(**{lookup: moment for lookup, moment in bounds.items() if moment is not None})


def parse_moment(text: str) -> datetime:
    """Read `2026-11-01` as the first moment of that day, and `2026-11-01T12:30` as UTC unless it has a zone. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_("“%(text)s” is not a date such as 2026-11-01 or a time such as 2026-11-01T12:30Z.") % {"text": text}) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(_("“%(text)s” is out of range.") % {"text": text})
    return moment
