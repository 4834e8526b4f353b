import itertools

import pytest

from cryptons.chunks import chunks


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2])])
def test_items_are_split_in_order_into_chunks_of_the_given_size(count, sizes):
    cut = list(chunks(range(count), 2))

    assert [len(chunk) for chunk in cut] == sizes
    assert list(itertools.chain(*cut)) == list(range(count))


def test_a_chunk_has_500_items_by_default():
    assert [len(chunk) for chunk in chunks(range(501))] == [500, 1]


def test_chunks_are_read_from_an_endless_source_only_as_needed():
    assert next(chunks(itertools.count(), 3)) == [0, 1, 2]
