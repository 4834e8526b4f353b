"""Every database can make every index of the models; MongoDB knows fewer conditions than the others."""

import pytest
from django.apps import apps
from django.db.models import Q

pytestmark = pytest.mark.database

KNOWN = {"", "exact", "gt", "gte", "lt", "lte", "in"}
CONDITIONS = [
    pytest.param(index.condition, id=index.name)
    for model in apps.get_models()
    for index in model._meta.indexes
    if index.condition is not None
]


def comparisons(condition):
    for child in condition.children:
        yield from comparisons(child) if isinstance(child, Q) else [child]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_mongodb_can_make_an_index_with_this_condition(condition):
    assert not condition.negated
    for field, value in comparisons(condition):
        assert field.partition("__")[2] in KNOWN
        assert value is not None
