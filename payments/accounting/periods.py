"""A span of time in UTC, as people write it on a command line or in an address."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

FIRST_YEAR, LAST_YEAR = 2009, 9000
"""Bitcoin's first block, and what every database can still hold."""


@dataclass(frozen=True)
class Period:
    """From `since` on, up to and without `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)

    def of(self, field: str) -> Q:
        """For a queryset: the rows whose field lies in it."""
        bounds: dict[str, Any] = {f"{field}__gte": self.since, f"{field}__lt": self.until}
        return Q(**{lookup: moment for lookup, moment in bounds.items() if moment is not None})


def parse_moment(text: str) -> datetime:
    """`2026-11-01` is its first moment; `2026-11-01T12:30` is UTC unless it says otherwise. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date such as 2026-11-01 and no time such as 2026-11-01T12:30Z.") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is out of range.")
    return moment
