"""What `cryptons.mongodb` asks of MongoDB otherwise than the backend that it stands on."""

import pytest

from cryptons.mongodb.compiler import sort_before_projecting
from cryptons.mongodb.schema import provable

pytestmark = pytest.mark.database

MATCH, SORT, LIMIT = {"$match": {"user_id": 1}}, {"$sort": {"created_at": -1}}, {"$limit": 20}


def test_sort_and_limit_move_before_a_projection():
    chosen = {"$project": {"id": 1, "created_at": 1}}
    assert sort_before_projecting([MATCH, chosen, SORT, LIMIT]) == [MATCH, SORT, LIMIT, chosen]


def test_a_sort_by_a_computed_field_stays_after_the_projection():
    computed = {"$project": {"id": 1, "created_at": "$time"}}
    assert sort_before_projecting([MATCH, computed, SORT]) == [MATCH, computed, SORT]


def test_a_sort_by_a_field_that_is_not_projected_stays_in_place():
    assert sort_before_projecting([{"$project": {"id": 1}}, SORT]) == [{"$project": {"id": 1}}, SORT]


def test_a_pipeline_without_a_sort_is_not_changed():
    assert sort_before_projecting([MATCH, {"$project": {"id": 1}}, LIMIT]) == [MATCH, {"$project": {"id": 1}}, LIMIT]


STRING = {"$type": "string"}


def test_a_unique_index_of_required_fields_has_no_condition():
    assert provable({"network": STRING, "reference": STRING}, nullable=set()) == {}


def test_a_unique_index_of_a_nullable_string_contains_only_strings():
    assert provable({"user_id": STRING}, nullable={"user_id"}) == {"user_id": {"$gte": ""}}
    assert provable({"number": {"$type": "int"}}, nullable={"number"}) == {"number": {"$type": "int"}}


def test_the_own_condition_of_an_index_is_kept():
    assert provable({"$and": [{"open": True}], "key": STRING}, nullable=set()) == {"$and": [{"open": True}]}
    assert provable({"key": {"$eq": "a", **STRING}}, nullable={"key"}) == {"key": {"$eq": "a", "$gte": ""}}
