"""What staff do about matches of the sanctions list: clear those of people who only have the name of somebody on it.

A person is the name of the delivery with the mail address of the order. Another name, another mailbox or another entry is another match.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.verification.errors import HitMoved
from accounts.verification.models import SanctionsHit
from accounts.verification.sums import mailbox_of, words_of
from cryptons.audit.writing import audit
from cryptons.db import in_transaction


def uncleared(entries: Iterable[str], name: str, email: str) -> dict[str, str]:
    """Return those entries by their keys that staff have not cleared for this person."""
    keys = {_key(entry, name, email): entry for entry in entries}
    cleared = set(SanctionsHit.objects.filter(key__in=keys, cleared_at__isnull=False).values_list("key", flat=True)) if keys else set()
    return {key: entry for key, entry in keys.items() if key not in cleared}


def note_hit(key: str, entry: str, name: str, email: str, *, at: datetime) -> SanctionsHit:
    """Write down that the entry has refused an order. Raises IntegrityError when another order does so first."""
    if not SanctionsHit.objects.filter(key=key).update(seen_at=at):
        return SanctionsHit.objects.create(key=key, entry=entry, name=name[:200], email=email, seen_at=at)
    return SanctionsHit.objects.get(key=key)


def clear_hit(hit_id: UUID, *, by: str, reason: str, at: datetime) -> None:
    """Let the entry refuse no more orders of this person. Raises HitMoved."""
    _change(hit_id, "clear sanctions hit", is_cleared=False, cleared_at=at, cleared_by=by, reason=reason)


def restore_hit(hit_id: UUID, *, by: str, reason: str, at: datetime) -> None:
    """Let the entry refuse the orders of this person again. Raises HitMoved."""
    _change(hit_id, "restore sanctions hit", is_cleared=True, cleared_at=None, cleared_by="", reason=reason)


def _change(hit_id: UUID, action: str, *, is_cleared: bool, **values: str | datetime | None) -> None:
    def change() -> None:
        if not SanctionsHit.objects.filter(pk=hit_id, cleared_at__isnull=not is_cleared).update(**values):
            raise HitMoved(_("Somebody else has decided about this match first."))
        hit = SanctionsHit.objects.get(pk=hit_id)
        audit(action, hit, {"entry": ("", hit.entry), "reason": ("", hit.reason)})

    in_transaction(change)


def _key(entry: str, name: str, email: str) -> str:
    """Return a keyed hash: the order and the spelling of the words do not matter, as in a comparison with the list."""
    listed = mailbox_of(entry) if "@" in entry else " ".join(sorted(words_of(entry)))
    person = " ".join(sorted(words_of(name)))
    return salted_hmac("sanctions match", f"{listed}|{person}|{mailbox_of(email)}", algorithm="sha256").hexdigest()
