"""How often one client may ask, also while Redis does not answer."""

import socket
from functools import cache
from types import SimpleNamespace

import pytest
from limits.storage import MemoryStorage

from cryptons import redis_connection
from cryptons.api import limits
from cryptons.api.limits import MemoryWindows, count, count_at_once, forget_counts, share_counts
from cryptons.circuit_breaker import CircuitBreaker

pytestmark = pytest.mark.django_db

LOGIN = {"username": "ada", "password": "wrong"}


@pytest.fixture(autouse=True)
def _no_counts(monkeypatch):
    monkeypatch.setattr(redis_connection, "_circuit", CircuitBreaker(rest_seconds=2))
    forget_counts()
    yield
    forget_counts()


def refusing():
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return closed.getsockname()[1]


@pytest.fixture(params=["refuses", "hangs"])
def redis_away(request, settings):
    hanging = socket.create_server(("127.0.0.1", 0))
    port = refusing() if request.param == "refuses" else hanging.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    settings.RATE_LIMIT_AUTH = "2/15minutes"
    yield
    hanging.close()


def test_logins_over_the_api_are_limited_while_redis_is_down(client, redis_away):
    answers = [client.post("/api/auth/login", LOGIN, content_type="application/json") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_logins_on_the_page_are_limited_while_redis_is_down(client, redis_away):
    answers = [client.post("/account/login/", {"name": "ada", "password": "wrong"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [400, 400, 429]


def test_each_client_has_its_own_limit_while_redis_is_down(redis_away):
    assert [count("1/minute", "auth", client)[0] for client in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [True, True, False]


def test_an_error_that_does_not_come_from_redis_is_raised(settings, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(limits.FixedWindowRateLimiter, "hit", fail)

    with pytest.raises(ZeroDivisionError):
        count("1/minute", "auth")


def at(monkeypatch, seconds):
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: seconds))


def test_a_window_begins_with_its_first_request_and_counts_again_after_its_end(monkeypatch):
    at(monkeypatch, 1000.0)
    assert count("2/minute", "api", "ada") == (
        True,
        {"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "60"},
    )
    at(monkeypatch, 1059.5)
    assert [count("2/minute", "api", "ada")[0] for _ in range(2)] == [True, False]
    assert count("2/minute", "api", "ada")[1]["Retry-After"] == "1"
    at(monkeypatch, 1060.0)
    assert count("2/minute", "api", "ada")[1]["RateLimit-Remaining"] == "1"


def test_memory_keeps_no_windows_that_have_ended(monkeypatch):
    windows = MemoryWindows()
    at(monkeypatch, 1000.0)
    for client in "abc":
        windows.hit((client,), 60)
    at(monkeypatch, 1060.0)

    windows.hit(("d",), 60)

    assert list(windows._windows) == [("d",)]


def test_memory_forgets_the_oldest_of_too_many_windows(monkeypatch):
    monkeypatch.setattr(limits, "MOST_WINDOWS", 2)
    windows = MemoryWindows()

    assert [windows.hit((client,), 60)[0] for client in "aabcb"] == [1, 2, 1, 1, 2]
    assert windows.hit(("a",), 60)[0] == 1


def test_what_is_counted_without_waiting_is_shared_with_other_processes(settings, monkeypatch):
    """The memory of a process, and Redis played by a storage in memory."""
    redis = limits.FixedWindowRateLimiter(MemoryStorage())
    monkeypatch.setattr(limits, "_redis", cache(lambda url: redis))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for _ in range(3):  # another process
        count("5/minute", "api", "ada")

    assert count_at_once("5/minute", "api", "ada")[1]["RateLimit-Remaining"] == "4"
    share_counts()
    assert count_at_once("5/minute", "api", "ada")[1]["RateLimit-Remaining"] == "0"
    share_counts()
    share_counts()
    assert (count_at_once("5/minute", "api", "ada")[0], count("5/minute", "api", "ada")[0]) == (False, False)
    assert count_at_once("5/minute", "api", "bob")[0]


def test_counting_goes_on_in_memory_while_redis_is_down(redis_away):
    allowed = []
    for _ in range(3):
        allowed.append(count_at_once("2/minute", "api", "ada")[0])
        share_counts()

    assert allowed == [True, True, False]
