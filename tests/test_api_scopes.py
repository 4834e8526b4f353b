"""Every route of the API by programs: with the scope that its description names, with all others, and without one."""

import re
from uuid import uuid4

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.api_keys import SCOPES, make_key
from accounts.tests.factories import ApiClient, StaffFactory

pytestmark = pytest.mark.django_db

OPERATIONS = [
    (method, path, operation.get("security", []))
    for path, methods in SchemaGenerator().get_schema(request=None, public=True)["paths"].items()
    for method, operation in methods.items()
    if operation.get("security")
]


def scope_of(security):
    return next((way["apiKey"][0] for way in security if "apiKey" in way), None)


def takes_guests(security):
    return {} in security


def ask(method, path, scopes):
    text = make_key(StaffFactory(), "ERP", scopes)[1]
    client = ApiClient(HTTP_AUTHORIZATION=f"Bearer {text}")
    return getattr(client, method)(re.sub(r"{\w+}", str(uuid4()), path), content_type="application/json").status_code


@pytest.mark.parametrize("method, path, security", [row for row in OPERATIONS if scope_of(row[2]) and not takes_guests(row[2])])
def test_a_key_passes_with_the_scope_of_the_route_and_with_no_other(method, path, security):
    scope = scope_of(security)
    assert ask(method, path, [scope]) not in (401, 403)
    assert ask(method, path, [other for other in SCOPES if other != scope]) == 403


@pytest.mark.parametrize("method, path, security", [row for row in OPERATIONS if scope_of(row[2]) and takes_guests(row[2])])
def test_a_key_gets_more_than_everybody_with_the_scope_of_the_route_and_with_no_other(method, path, security):
    scope, more = scope_of(security), f"{path}?unlisted=true"
    assert ask(method, path, [other for other in SCOPES if other != scope]) not in (401, 403)
    assert ask(method, more, [scope]) not in (401, 403)
    assert ask(method, more, [other for other in SCOPES if other != scope]) == 403


@pytest.mark.parametrize("method, path, security", [row for row in OPERATIONS if not scope_of(row[2]) and not takes_guests(row[2])])
def test_a_key_does_not_pass_where_a_person_is_needed(method, path, security):
    assert ask(method, path, SCOPES) == 403


def test_every_scope_is_one_of_a_route():
    assert {scope_of(security) for *_, security in OPERATIONS} - {None} == set(SCOPES)
