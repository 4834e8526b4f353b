import time
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import Error, IntegrityError, InterfaceError
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.response import Response

from cryptons.api import idempotency
from cryptons.api.errors import Conflict, IdempotencyMismatch, Invalid
from cryptons.api.idempotency import forget_old_requests, idempotent
from cryptons.models import IdempotentRequest

pytestmark = pytest.mark.django_db


class Asked:
    def __init__(self, key="k", data=None, user=None, path="/api/loaves", method="POST"):
        self.method = method
        self.path = path
        self.headers = {"Idempotency-Key": key} if key else {}
        self.data = data or {"a": 1}
        self.user = user or User()


class User:
    def __init__(self):
        self.pk = uuid4()


class Bakery:
    """Bakes one more loaf at each call that reaches it."""

    def __init__(self):
        self.tokens = []

    @idempotent
    def post(self, request, *, token):
        self.tokens.append(token)
        return Response({"loaf": len(self.tokens)}, status=201)


@pytest.fixture
def bakery():
    return Bakery()


def test_a_request_with_the_same_key_gets_the_same_answer(bakery):
    asked = Asked()
    answers = [bakery.post(asked) for _ in range(2)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(201, {"loaf": 1})] * 2
    assert len(bakery.tokens) == 1


def test_requests_without_a_key_are_all_carried_out(bakery):
    asked = Asked(key="")
    assert [bakery.post(asked).data["loaf"] for _ in range(2)] == [1, 2]
    assert bakery.tokens[0] != bakery.tokens[1]


def test_the_same_key_with_another_body_is_refused(bakery):
    user = User()
    bakery.post(Asked(user=user))
    with pytest.raises(IdempotencyMismatch):
        bakery.post(Asked(data={"a": 2}, user=user))


def test_the_same_key_at_another_address_or_with_another_method_is_refused(bakery):
    user = User()
    bakery.post(Asked(user=user))
    for other in ({"path": "/api/cakes"}, {"method": "PATCH"}):
        with pytest.raises(IdempotencyMismatch):
            bakery.post(Asked(user=user, **other))
    assert bakery.post(Asked(user=user, path="/api/v1/loaves")).data == {"loaf": 1}


def test_a_body_with_its_names_in_another_order_is_the_same_body(bakery):
    user = User()
    bakery.post(Asked(data={"a": 1, "b": 2}, user=user))
    assert bakery.post(Asked(data={"b": 2, "a": 1}, user=user)).data == {"loaf": 1}


def test_two_users_may_use_the_same_key(bakery):
    assert [bakery.post(Asked(user=User())).data["loaf"] for _ in range(2)] == [1, 2]


def test_a_repeat_of_a_request_that_runs_for_too_long_is_a_conflict(bakery, monkeypatch):
    asked = Asked()
    bakery.post(asked)
    IdempotentRequest.objects.update(status=None, response=None)
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0)
    with pytest.raises(Conflict):
        bakery.post(asked)


def test_a_repeat_waits_for_the_answer_to_the_request_that_still_runs(bakery, monkeypatch):
    asked, waits = Asked(), []
    bakery.post(asked)
    IdempotentRequest.objects.update(status=None, response=None)

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            IdempotentRequest.objects.update(status=201, response={"loaf": "of the first"})

    monkeypatch.setattr(idempotency, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))  # drivers' threads sleep on

    assert bakery.post(asked).data == {"loaf": "of the first"}
    assert (len(waits), len(bakery.tokens)) == (3, 1)


def test_a_repeat_is_carried_out_when_the_request_that_it_waited_for_fails(bakery, monkeypatch):
    asked = Asked()
    bakery.post(asked)
    IdempotentRequest.objects.update(status=None, response=None)
    forget = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: IdempotentRequest.objects.all().delete())
    monkeypatch.setattr(idempotency, "time", forget)

    assert bakery.post(asked).data == {"loaf": 2}


class BrokenBakery(Bakery):
    def __init__(self, failure):
        super().__init__()
        self.failure = failure

    @idempotent
    def post(self, request, *, token):
        self.tokens.append(token)
        if self.failure and len(self.tokens) == 1:
            raise self.failure
        return Response({"loaf": len(self.tokens)}, status=201)


@pytest.mark.parametrize(("failure", "end"), [(InterfaceError("away"), "delete"), (None, "update")])
def test_a_request_that_an_outage_ended_is_done_again_at_once(monkeypatch, failure, end):
    """The row could not be deleted, or not get its answer. The token is the same, so what was made is not made twice."""
    asked, bakery = Asked(), BrokenBakery(failure)
    with monkeypatch.context() as outage, pytest.raises(Error):
        outage.setattr(QuerySet, end, Mock(side_effect=InterfaceError("away")))
        bakery.post(asked)
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0)

    assert bakery.post(asked).data == {"loaf": 2}
    assert len(set(bakery.tokens)) == 1
    assert not idempotency.over


def test_a_request_that_another_process_has_begun_again_is_waited_for(bakery, monkeypatch):
    """This process still remembers that it could not end it."""
    asked = Asked()
    with monkeypatch.context() as outage, pytest.raises(Error):
        outage.setattr(QuerySet, "update", Mock(side_effect=InterfaceError("away")))
        bakery.post(asked)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0)

    with pytest.raises(Conflict):
        bakery.post(asked)
    assert len(bakery.tokens) == 1
    assert not idempotency.over


def test_a_late_failure_does_not_end_the_request_that_was_begun_again():
    class SlowBakery(Bakery):
        @idempotent
        def post(self, request, *, token):
            IdempotentRequest.objects.update(created_at=timezone.now() + timedelta(minutes=2))  # by another process
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        SlowBakery().post(Asked())
    assert IdempotentRequest.objects.get().status is None


def test_guests_with_the_same_key_are_told_apart_by_their_mail_address(bakery):
    guests = [Asked(data={"email": email}, user=AnonymousUser()) for email in ("ada@example.com", "ADA@example.com", "kate@example.com")]
    first, again = bakery.post(guests[0]), bakery.post(guests[0])
    with pytest.raises(IdempotencyMismatch):
        bakery.post(guests[1])
    assert [first.data, again.data, bakery.post(guests[2]).data] == [{"loaf": 1}, {"loaf": 1}, {"loaf": 2}]


def test_a_view_without_a_token_is_idempotent_too():
    class Sieve:
        calls = 0

        @idempotent
        def post(self, request):
            self.calls += 1
            return Response({"call": self.calls})

    sieve, asked = Sieve(), Asked()
    assert [sieve.post(asked).data for _ in range(2)] == [{"call": 1}] * 2
    assert sieve.post(Asked(key="")).data == {"call": 2}


def test_a_request_whose_worker_died_is_run_again_with_the_same_token(bakery):
    asked = Asked()
    bakery.post(asked)
    IdempotentRequest.objects.update(status=None, response=None, created_at=timezone.now() - timedelta(minutes=3))
    bakery.post(asked)
    assert len(bakery.tokens) == 2
    assert bakery.tokens[0] == bakery.tokens[1]


def test_a_failed_request_can_be_repeated_with_the_same_key():
    class Strike(Bakery):
        @idempotent
        def post(self, request, *, token):
            self.tokens.append(token)
            raise ZeroDivisionError

    strike, asked = Strike(), Asked()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            strike.post(asked)
    assert len(strike.tokens) == 2


def test_a_request_is_carried_out_when_the_first_one_with_its_key_fails_at_the_same_moment(bakery, monkeypatch):
    """The other row is there when this one is written, and gone when it is looked for."""
    create, tries = IdempotentRequest.objects.create, []

    def meet_the_other(**values):
        tries.append(values["key"])
        if len(tries) == 1:
            raise IntegrityError
        return create(**values)

    monkeypatch.setattr(IdempotentRequest.objects, "create", meet_the_other)

    assert bakery.post(Asked()).data == {"loaf": 1}
    assert tries == ["k", "k"]


def test_a_key_can_be_used_for_a_new_request_after_a_day(bakery):
    asked = Asked()
    bakery.post(asked)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert bakery.post(asked).data == {"loaf": 2}


def test_stored_requests_are_deleted_after_a_day(bakery):
    bakery.post(Asked())
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    forget_old_requests()
    assert not IdempotentRequest.objects.exists()


@pytest.mark.parametrize("key", ["k" * 256, "a\x00b", "a\nb"])
def test_a_long_or_unprintable_idempotency_key_is_refused(bakery, key):
    with pytest.raises(Invalid):
        bakery.post(Asked(key=key))
