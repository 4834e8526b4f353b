"""What is true of every route of the OpenAPI document, with a token, with a stale one, and without."""

import re

import pytest

from accounts.tests.factories import UserFactory
from accounts.tokens import issue
from cryptons.db import new_id

pytestmark = pytest.mark.django_db


def operations(client):
    """Each route of the document with its method, and an address that may not lead to anything."""
    for path, methods in client.get("/api/schema").json()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"{\w+}", str(new_id()), path), operation


def is_for_everybody(method, operation):
    """Whether anybody may read it; some then read more with a token."""
    return method == "GET" and {} in operation.get("security", [{}])


def test_a_stale_token_matters_only_where_one_is_needed(client, settings):
    settings.VERIFICATION_PROVIDER = "sumsub"
    settings.RATE_LIMIT_AUTH = "100/minute"
    settings.RATE_LIMIT_API = "1000/minute"
    for method, path, operation in operations(client):
        answer = client.generic(method, path, "{}", content_type="application/json", headers={"Authorization": "Bearer stale"})
        needs_token = bool(operation.get("security")) or path.startswith("/api/webhooks/")  # which need a signature
        needs_token = needs_token and not is_for_everybody(method, operation)
        assert (answer.status_code == 401) == needs_token, (method, path, answer.status_code)


def test_an_unknown_parameter_is_named_by_every_route_that_may_be_read(client, settings):
    settings.RATE_LIMIT_API = "1000/minute"
    headers = {"Authorization": f"Bearer {issue(UserFactory(is_staff=True, is_superuser=True))['token']}"}
    for method, path, _operation in operations(client):
        if method == "GET":
            answer = client.get(path, {"foo": "1", "bar": "2", "limitt": "3"}, headers=headers)
            assert answer.status_code == 400, path
            assert answer.json()["error"]["details"] == [
                {"field": name, "message": "There is no such parameter."} for name in ("bar", "foo", "limitt")
            ]


def test_an_answer_to_one_person_may_not_be_stored_by_a_shared_cache(client, settings):
    settings.RATE_LIMIT_API = "1000/minute"
    headers = {"Authorization": f"Bearer {issue(UserFactory(is_staff=True, is_superuser=True))['token']}"}
    for method, path, operation in operations(client):
        if operation.get("security") or method != "GET":
            answer = client.generic(method, path, "{}", content_type="application/json", headers=headers)
            kept = "private, no-cache" if is_for_everybody(method, operation) else "no-store"
            assert answer["Cache-Control"] == kept, (method, path)
