import itertools

import pytest

from cryptons.chunks import chunks


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2])])
def test_all_items_are_cut_in_order_into_lists_of_one_size(count, sizes):
    cut = list(chunks(range(count), 2))

    assert [len(chunk) for chunk in cut] == sizes
    assert list(itertools.chain(*cut)) == list(range(count))


def test_five_hundred_are_a_chunk_unless_another_size_is_given():
    assert [len(chunk) for chunk in chunks(range(501))] == [500, 1]


def test_an_endless_source_is_read_only_as_far_as_it_is_used():
    assert next(chunks(itertools.count(), 3)) == [0, 1, 2]
