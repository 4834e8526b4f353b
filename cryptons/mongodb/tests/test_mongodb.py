"""What `cryptons.mongodb` asks of MongoDB otherwise than the backend that it stands on."""

from cryptons.mongodb.compiler import sort_before_projecting
from cryptons.mongodb.schema import provable

MATCH, SORT, LIMIT = {"$match": {"user_id": 1}}, {"$sort": {"created_at": -1}}, {"$limit": 20}


def test_rows_are_sorted_and_cut_before_their_fields_are_chosen():
    chosen = {"$project": {"id": 1, "created_at": 1}}
    assert sort_before_projecting([MATCH, chosen, SORT, LIMIT]) == [MATCH, SORT, LIMIT, chosen]


def test_a_sort_by_what_is_computed_stays_behind_it():
    computed = {"$project": {"id": 1, "created_at": "$time"}}
    assert sort_before_projecting([MATCH, computed, SORT]) == [MATCH, computed, SORT]


def test_a_sort_by_what_is_not_there_before_stays_too():
    assert sort_before_projecting([{"$project": {"id": 1}}, SORT]) == [{"$project": {"id": 1}}, SORT]


def test_what_is_not_sorted_is_left_as_it_is():
    assert sort_before_projecting([MATCH, {"$project": {"id": 1}}, LIMIT]) == [MATCH, {"$project": {"id": 1}}, LIMIT]


STRING = {"$type": "string"}


def test_what_is_never_null_is_in_its_unique_index_whatever_it_is():
    assert provable({"network": STRING, "reference": STRING}, nullable=set()) == {}


def test_of_what_may_be_null_the_strings_are_in_it():
    assert provable({"user_id": STRING}, nullable={"user_id"}) == {"user_id": {"$gte": ""}}
    assert provable({"number": {"$type": "int"}}, nullable={"number"}) == {"number": {"$type": "int"}}


def test_an_index_keeps_its_own_condition():
    assert provable({"$and": [{"open": True}], "key": STRING}, nullable=set()) == {"$and": [{"open": True}]}
    assert provable({"key": {"$eq": "a", **STRING}}, nullable={"key"}) == {"key": {"$eq": "a", "$gte": ""}}
