"""Tell the people who decide about a payout apart: by their accounts, because a name can be changed between two approvals."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from cryptons.events.models import Event
from cryptons.formats import money
from payments.errors import PayoutRefused
from payments.models import Payout
from payments.subject import subject

BUYER = "buyer"
"""The actor of what buyers do by the link of their email; never a person who approves."""


@dataclass(frozen=True)
class Person:
    name: str
    account_id: UUID | None
    """None for a payout from before accounts were stored, and when the account does not exist."""

    def is_same(self, other: "Person") -> bool:
        """Tell whether it may be the same person. A name that somebody else has got since counts as the same, to be on the safe side."""
        return self.name == other.name or (self.account_id is not None and self.account_id == other.account_id)


def account_of(name: str) -> UUID | None:
    return None if name == BUYER else User.objects.filter(username=name).values_list("pk", flat=True).first()


def distinct(people: Iterable[Person]) -> list[Person]:
    """Leave out those without a name, the buyer behind the link, and those who are there already."""
    known: list[Person] = []
    for person in people:
        if person.name not in ("", BUYER) and not any(person.is_same(other) for other in known):
            known.append(person)
    return known


def needs_another_person(payout: Payout, name: str, needed: int) -> bool:
    """Tell whether somebody else must approve the payout after this member of staff, when it `needed` so many people.

    Above one, the buyer's own account is none of them.
    Raises PayoutRefused when this person may not approve it, or has done so already.
    """
    actor = Person(name, account_of(name))
    before = distinct([Person(_author(payout), payout.author_id), Person(payout.approved_by, payout.approver_id)])
    if needed > 1 and (buyer := subject().buyer_id(payout.invoice)):
        if actor.account_id == buyer:
            raise PayoutRefused(_("You have placed this order yourself: two other people must approve a payout of this value."))
        before = [person for person in before if person.account_id != buyer]
    if len(distinct([*before, actor])) >= needed:
        return False
    if any(actor.is_same(person) for person in before):
        raise PayoutRefused(
            _("A second person must approve a payout of this value: it is %(value)s now.")
            % {"value": money(payout.value_minor, payout.currency)}
        )
    return True


def _author(payout: Payout) -> str:
    """Return the author of the draft, or the member of staff who set its destination later.

    The first author had not seen that destination, so the draft is no approval of it.
    """
    change = Event.objects.filter(subject_id=payout.pk, type="payout.destination").order_by("-seq").first()
    return change.actor if change and change.actor != BUYER else payout.created_by
