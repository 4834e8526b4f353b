"""The comparison of answers with the OpenAPI document notices each way in which an answer can differ."""

import json

import pytest
from django.http import HttpResponse

from tests.api_contract import compare, is_described, read_document

ROW = {"id": "4f1c3c8e-6a0e-4d5c-9a54-0d0a7f8e3b11", "name": "Kettle", "slug": "kettle"}
GOOD = {"success": True, "data": [ROW]}
LIMITED = {"success": False, "error": {"code": "RATE_LIMITED", "message": "Wait.", "details": []}}
LIMIT_HEADERS = {"Retry-After": "9", "RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "9"}


def answer(body, status=200, **options):
    return HttpResponse(json.dumps(body), status=status, content_type="application/json", **options)


def problems_of(response, *, method="GET", path="/api/products/suggest"):
    return compare(read_document(), method, path, response)


def test_an_answer_that_matches_the_document_has_no_problems():
    assert problems_of(answer(GOOD)) == []
    assert problems_of(answer(GOOD), path="/api/v1/products/suggest") == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({**ROW, "price": "1.00"}, "Additional properties are not allowed"),
        ({"id": ROW["id"], "name": "Kettle"}, "'slug' is a required property"),
        ({**ROW, "name": 7}, "7 is not of type 'string'"),
        ({**ROW, "name": None}, "None is not of type 'string'"),
        ({**ROW, "id": "kettle"}, "is not a 'uuid'"),
    ],
)
def test_a_field_that_differs_from_the_document_is_a_problem(row, problem):
    (told,) = problems_of(answer({"success": True, "data": [row]}))
    assert problem in told


def test_a_time_without_a_time_zone_is_a_problem():
    rate = {"rate": "1.00", "currency": "USD", "quotedAt": "2026-11-01T12:00:00", "ageSeconds": 1, "sources": {}}
    (problem,) = problems_of(answer({"success": True, "data": {"BTC": rate}}), path="/api/rates")
    assert "is not a 'date-time'" in problem


def test_a_missing_envelope_is_a_problem():
    assert problems_of(answer([ROW]))


def test_an_undocumented_status_is_a_problem():
    assert problems_of(answer(GOOD, 206)) == ["the document does not know the status 206"]


def test_an_answer_that_is_not_json_is_a_problem():
    (problem,) = problems_of(HttpResponse("<p>Kettle</p>"))
    assert "text/html" in problem


def test_a_429_without_its_headers_is_a_problem():
    assert len(problems_of(answer(LIMITED, 429))) >= 4
    assert problems_of(answer(LIMITED, 429, headers=LIMIT_HEADERS)) == []


def test_a_body_is_a_problem_where_the_document_describes_none():
    assert problems_of(HttpResponse(b"{}", status=204), method="DELETE", path="/api/products/7")
    assert problems_of(HttpResponse(status=204), method="DELETE", path="/api/products/7") == []


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/nothing", 404), ("DELETE", "/api/rates", 405)])
def test_only_an_error_is_a_valid_answer_of_an_unknown_route_or_method(method, path, status):
    error = {"success": False, "error": {"code": "X", "message": "No.", "details": []}}
    assert problems_of(answer(error, status), method=method, path=path) == []
    assert problems_of(answer(GOOD, 200), method=method, path=path)
    assert problems_of(answer(GOOD, status), method=method, path=path)


def test_pages_and_the_document_itself_are_not_checked_against_the_document():
    assert not is_described("GET", "/api/schema")
    assert not is_described("GET", "/search")
    assert is_described("GET", "/api/nothing")


@pytest.mark.django_db
def test_the_test_client_fails_a_test_whose_answer_differs_from_the_document(client, monkeypatch):
    monkeypatch.setattr("payments.api.rates.current_rates", dict)
    assert client.get("/api/rates").json()["data"] == {}
    monkeypatch.setattr("payments.api.rates.success", lambda data, **options: HttpResponse(status=203))
    with pytest.raises(AssertionError, match="does not know the status 203"):
        client.get("/api/rates")
