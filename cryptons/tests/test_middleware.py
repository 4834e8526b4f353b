import pytest
from django.http import HttpRequest, HttpResponse

from cryptons.middleware import SecurityHeadersMiddleware


@pytest.mark.parametrize(
    ("debug", "status", "has_policy"),
    [(False, 200, True), (False, 404, True), (False, 500, True), (True, 200, True), (True, 404, False), (True, 500, False)],
)
def test_only_djangos_own_error_pages_in_development_have_no_content_policy(settings, debug, status, has_policy):
    settings.DEBUG = debug

    answer = SecurityHeadersMiddleware(lambda request: HttpResponse(status=status))(HttpRequest())

    assert ("Content-Security-Policy" in answer.headers) is has_policy
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_a_content_policy_of_an_answers_own_stays():
    own = HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    assert SecurityHeadersMiddleware(lambda request: own)(HttpRequest()).headers["Content-Security-Policy"] == "default-src 'none'"
