import uuid
from datetime import UTC, datetime

import pytest

from accounts.verification import sumsub
from accounts.verification.errors import ProviderUnavailable
from accounts.verification.models import Verification
from accounts.verification.tests.fake_sumsub import digest, event, fake_sumsub, use
from cryptons.circuit_breaker import CircuitBreaker

Status = Verification.Status


@pytest.fixture(autouse=True)
def _closed_circuit(monkeypatch):
    monkeypatch.setattr(sumsub, "circuit", CircuitBreaker(rest_seconds=60))


def test_a_signed_request_makes_the_applicant_once_and_a_link(settings):
    buyer = Verification(user_id=uuid.uuid4())
    with fake_sumsub() as server:
        use(settings, server)

        first, again = (sumsub.open_link(buyer, language="de") for _ in range(2))

    assert first == again == ("applicant0", f"https://in.sumsub.example/websdk/p/{buyer.user_id}")
    assert server.applicants == {str(buyer.user_id): "applicant0"}


def test_a_wrong_secret_or_an_error_is_unavailable_and_then_nobody_asks_again(settings):
    buyer = Verification(user_id=uuid.uuid4())
    with fake_sumsub() as server:
        use(settings, server)
        settings.SUMSUB_SECRET_KEY = "another"
        with pytest.raises(ProviderUnavailable, match="cannot be reached right now"):
            sumsub.open_link(buyer, language="en")

        use(settings, server)
        with pytest.raises(ProviderUnavailable):
            sumsub.open_link(buyer, language="en")

    assert server.applicants == {str(buyer.user_id): "applicant0"}


def test_a_request_that_nobody_answers_is_unavailable(settings):
    use(settings)

    with pytest.raises(ProviderUnavailable):
        sumsub.open_link(Verification(user_id=uuid.uuid4()), language="en")


@pytest.mark.parametrize(
    ("headers", "is_right"),
    [
        (digest(b"{}"), True),
        (digest(b"{}", "sha512"), True),
        (digest(b"{}", "sha1"), False),
        (digest(b"{ }"), False),
        ({**digest(b"{}"), "X-Payload-Digest": "ü"}, False),
        ({"X-Payload-Digest": digest(b"{}")["X-Payload-Digest"]}, False),
        ({}, False),
    ],
)
def test_a_webhook_is_signed_over_its_raw_body_with_sha256_or_sha512(settings, headers, is_right):
    use(settings)
    if is_right:
        sumsub.check_digest(b"{}", headers)
        return
    with pytest.raises(sumsub.BadWebhook):
        sumsub.check_digest(b"{}", headers)


def test_without_a_secret_no_webhook_is_right(settings):
    use(settings)
    settings.SUMSUB_WEBHOOK_SECRET = ""

    with pytest.raises(sumsub.BadWebhook):
        sumsub.check_digest(b"{}", digest(b"{}"))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.APPROVED),
        ({"answer": "RED", "result": {"reviewRejectType": "RETRY"}}, Status.REJECTED),
        ({"answer": "RED", "result": {"reviewRejectType": "FINAL"}}, Status.REFUSED),
        ({"answer": "YELLOW"}, Status.REJECTED),
        ({"type": "applicantPending", "answer": "GREEN"}, Status.PENDING),
        ({"type": "applicantOnHold"}, Status.PENDING),
        ({"type": "applicantReset"}, Status.OPEN),
        ({"type": "applicantTagsChanged"}, None),
        ({"levelName": "a weaker level"}, None),
    ],
)
def test_only_a_green_answer_of_the_shops_level_approves(settings, changes, status):
    use(settings)

    read = sumsub.read_event(event("user", "10:00:00.500", **changes))

    assert (read and read.status) == status


def test_an_answer_of_sumsubs_sandbox_says_nothing_to_a_shop_with_a_real_token(settings):
    use(settings)
    settings.SUMSUB_APP_TOKEN = "prd:token"

    assert sumsub.read_event(event("user", "10:00:00.500", sandboxMode=True)) is None


def test_the_event_of_a_rejection_has_the_comment_for_the_buyer_and_its_time(settings):
    use(settings)
    result = {"reviewRejectType": "RETRY", "moderationComment": "The photo is blurred.", "clientComment": "Looks odd."}

    read = sumsub.read_event(event("user", "10:00:00.500", "RED", result=result))

    assert read == sumsub.Event(
        "user", "applicant0", Status.REJECTED, "The photo is blurred.", datetime(2026, 11, 27, 10, 0, 0, 500_000, tzinfo=UTC)
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", event("user", "soon"), b'{"type": 1}' * 2])
def test_a_message_in_another_format_is_refused(settings, body):
    use(settings)

    with pytest.raises(sumsub.BadWebhook):
        sumsub.read_event(body)
