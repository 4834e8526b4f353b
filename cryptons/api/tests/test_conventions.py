"""What is true of every answer under /api/: the envelope, the headers, the limits."""

import pytest
from django.db import OperationalError
from django.test import Client

from cryptons.api.limits import forget_counts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts():
    forget_counts()
    yield
    forget_counts()


@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/v1/nothing/at/all", "/api/products/../x", "/api/auth"])
def test_an_unknown_route_answers_with_an_error_in_the_envelope(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {
        "success": False,
        "error": {"code": "NOT_FOUND", "message": "There is nothing at this address.", "details": []},
    }


def test_a_wrong_method_answers_with_an_error_in_the_envelope(client):
    answer = client.delete("/api/auth/login")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in answer["Allow"]


def test_the_api_is_also_served_under_v1(client):
    assert client.get("/api/v1/rates").json()["data"].keys() == client.get("/api/rates").json()["data"].keys()


def test_an_unexpected_error_is_answered_without_its_details(client, monkeypatch):
    monkeypatch.setattr("payments.api.rates.current_rates", lambda: 1 / 0)
    answer = client.get("/api/rates")
    assert answer.status_code == 500
    assert answer.json()["error"] == {"code": "INTERNAL_ERROR", "message": "Internal Server Error", "details": []}


def test_an_error_contains_its_stack_trace_in_debug_mode(client, monkeypatch, settings):
    settings.DEBUG = True
    monkeypatch.setattr("payments.api.rates.current_rates", lambda: 1 / 0)
    assert "ZeroDivisionError" in client.get("/api/rates").json()["error"]["stack"]


def test_a_request_is_answered_with_503_while_the_database_is_down(client, monkeypatch):
    from django.db import OperationalError

    def gone():
        raise OperationalError("gone")

    monkeypatch.setattr("payments.api.rates.current_rates", gone)
    answer = client.get("/api/rates")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


@pytest.mark.parametrize("path", ["/api/rates", "/api/nothing", "/api/auth/profile", "/healthz"])
def test_every_answer_has_the_security_headers(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    for directive in ("frame-ancestors", "object-src", "base-uri"):
        assert f"{directive} 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert {"Referrer-Policy", "Permissions-Policy", "X-Request-ID"} <= set(headers)


def test_cors_headers_are_sent_to_an_allowed_origin_only(client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    assert "Access-Control-Allow-Origin" not in client.get("/api/rates", HTTP_ORIGIN="https://foe.example").headers
    friend = client.get("/api/rates", HTTP_ORIGIN="https://friend.example")
    assert friend.headers["Access-Control-Allow-Origin"] == "https://friend.example"


@pytest.mark.parametrize("path", ["/api/auth/profile", "/api/nothing"])
def test_error_responses_carry_cors_headers(client, settings, path):
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    assert "Access-Control-Allow-Origin" in client.get(path, HTTP_ORIGIN="https://friend.example").headers


def test_a_rate_limited_request_gets_a_429_with_cors_headers_and_retry_after(client, settings):
    settings.RATE_LIMIT_API = "2/15minutes"
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    answers = [client.get("/api/rates", HTTP_ORIGIN="https://friend.example") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0]["RateLimit-Remaining"] == "1"
    last = answers[2]
    assert last.json()["error"]["code"] == "RATE_LIMITED"
    assert 0 < int(last["Retry-After"]) <= 900
    assert all(name in last.headers for name in ("Access-Control-Allow-Origin", "Content-Security-Policy", "RateLimit-Limit"))


def test_each_client_has_its_own_rate_limit(client, settings):
    settings.RATE_LIMIT_API = "1/15minutes"
    assert client.get("/api/rates", REMOTE_ADDR="192.0.2.1").status_code == 200
    assert client.get("/api/rates", REMOTE_ADDR="192.0.2.2").status_code == 200
    assert client.get("/api/rates", REMOTE_ADDR="192.0.2.1").status_code == 429


def test_registrations_are_counted_before_their_body_is_read(client, settings):
    settings.RATE_LIMIT_AUTH = "2/15minutes"
    statuses = [client.post("/api/auth/register", "{", content_type="application/json").status_code for _ in range(3)]
    assert statuses == [400, 400, 429]


def test_login_attempts_are_counted_before_the_password_is_checked(client, settings):
    settings.RATE_LIMIT_AUTH = "2/15minutes"
    body = {"username": "kate", "password": "x"}
    statuses = [client.post("/api/auth/login", body, content_type="application/json").status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_the_login_page_shares_its_rate_limit_with_the_login_api(client, settings):
    settings.RATE_LIMIT_AUTH = "1/15minutes"
    client.post("/api/auth/login", {"username": "kate", "password": "x"}, content_type="application/json")
    answer = client.post("/account/login/", {"name": "kate", "password": "x"})
    assert answer.status_code == 429
    assert b"Too many attempts" in answer.content


def test_health_checks_are_not_rate_limited(client, settings):
    settings.RATE_LIMIT_API = "1/15minutes"
    assert [client.get("/healthz").status_code for _ in range(3)] == [200] * 3


def test_the_health_check_answers_503_when_the_database_is_down(client, monkeypatch):
    def gone():
        raise OperationalError("gone")

    monkeypatch.setattr("payments.api.health.ping", gone)
    assert client.get("/healthz").status_code == 503


def test_a_valid_request_id_is_kept_and_an_invalid_one_is_replaced(client):
    assert client.get("/healthz", HTTP_X_REQUEST_ID="abcdef-123456")["X-Request-ID"] == "abcdef-123456"
    assert client.get("/healthz", HTTP_X_REQUEST_ID="a\nb")["X-Request-ID"] != "a\nb"


WRITING = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("path", ["/api/nope", "/api/v1/nope", "/api/products/", "/api"])
def test_an_unknown_route_is_not_found_by_any_method(path):
    browser = Client(enforce_csrf_checks=True)
    for method in ("GET", *WRITING):
        for headers in ({}, {"Authorization": "Bearer stale"}):
            answer = browser.generic(method, path, "{}", content_type="application/json", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), method


@pytest.mark.parametrize("path", ["/api/docs", "/api/v1/schema"])
def test_the_document_takes_no_other_method(path):
    for method in WRITING:
        answer = Client(enforce_csrf_checks=True).generic(method, path, "{}", content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
        assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/api/orders", "/api/products", "/api/auth/login"])
def test_the_methods_of_a_route_are_answered_in_the_envelope(client, path):
    answer = client.options(path, headers={"Authorization": "Bearer stale"})
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "data": {"methods": answer["Allow"].split(", ")}}


def test_a_login_is_asked_for_before_an_unknown_parameter_is_named(client):
    assert client.get("/api/orders?foo=1").status_code == 401


def test_all_problems_of_a_body_are_told_at_once(client):
    body = {"username": "a b", "email": "nope", "password": "x", "role": "admin", "is_staff": True}
    answer = client.post("/api/auth/register", body, content_type="application/json")
    assert answer.status_code == 400
    assert {row["field"] for row in answer.json()["error"]["details"]} == set(body)


def test_a_page_of_another_origin_may_send_and_read_the_headers_of_the_contract(client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key,x-order-key"}
    preflight = client.options("/api/orders", headers={"Origin": "https://friend.example", **asked})
    assert {"authorization", "content-type", "idempotency-key", "x-order-key"} <= set(preflight["Access-Control-Allow-Headers"].split(", "))

    exposed = client.get("/api/rates", headers={"Origin": "https://friend.example"})["Access-Control-Expose-Headers"].split(", ")
    limits = {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
    assert set(exposed) == {"ETag", "Location", "X-Request-ID", *limits}
