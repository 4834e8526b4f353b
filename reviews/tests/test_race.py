"""Many decide about the reviews of one product at once: separate processes on one database."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shop.tests.databases import database_of_its_own
from shop.tests.racing import Buyer, buyers_on

pytestmark = pytest.mark.database

RATINGS = [5, 4, 2, 2, 1, 5, 4, 4]
HEAD_START = 0.02


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Buyer]]:
    folder = tmp_path_factory.mktemp("reviews")
    with database_of_its_own(folder) as url, buyers_on(url, folder, "reviews.tests.racing_reviewer") as ready:
        yield ready


def at_once(people: list[Buyer], act: str, *each: dict[str, Any]) -> list[Any]:
    start = time.time() + HEAD_START
    for person, options in zip(people, each, strict=True):
        person.tell(act, **options, at=start)
    return sorted(person.answer() for person in people)


def test_the_rating_is_exact_after_many_decisions_at_once(people):
    """All are approved at once, then some are rejected and deleted at once."""
    product, reviews, _other = people[0].ask("prepare", ratings=RATINGS, approved=False).values()

    at_once(people, "act", *({"name": "approve", "review": pk} for pk in reviews))
    assert people[0].ask("count", product=product)["rating"] == [8, "3.38"]

    acts = ("reject", "delete", "approve", "approve", "reject", "approve", "delete", "approve")
    at_once(people, "act", *({"name": name, "review": pk} for name, pk in zip(acts, reviews, strict=True)))
    assert people[0].ask("count", product=product)["rating"] == [4, "3.25"]


def test_one_of_many_reviews_and_of_many_votes_by_one_user_counts(people):
    product, reviews, other = people[0].ask("prepare", ratings=[5], approved=True).values()

    written = at_once(people, "write", *[{"user": other, "product": product}] * len(people))
    voted = at_once(people, "help_by", *[{"user": other, "review": reviews[0]}] * len(people))

    assert written == ["AlreadyReviewed"] * (len(people) - 1) + ["written"]
    assert voted == ["AlreadyVoted"] * (len(people) - 1) + ["voted"]
    counted = people[0].ask("count", product=product)
    assert (counted["reviews"], counted["votes"]) == (2, [1, 0])
