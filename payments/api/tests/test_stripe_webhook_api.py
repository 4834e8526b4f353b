"""Stripe's webhooks: a signed one is taken once, and makes the follower ask Stripe. It settles nothing."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.tests.factories import ApiClient
from payments.models import IncomingWebhook
from payments.networks.stripe.signature import signed_at
from tests.fake_stripe import KEY, WEBHOOK_SECRET, sign

PATH = "/api/webhooks/stripe"
BODY = json.dumps({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {}}}).encode()


def test_a_signature_by_one_of_several_secrets_and_among_several_is_accepted():
    header = sign(BODY, 1_700_000_000, "whsec_old", "whsec_new")
    assert signed_at(["whsec_other", "whsec_new"], BODY, header).timestamp() == 1_700_000_000


@pytest.mark.parametrize(
    "header", ["", "t=1700000000", "v1=ab", "t=,v1=ab", "t=1700000000,v1=", "t=-1,v1=ab", "t=9" + "9" * 30 + ",v1=ab", "t=1700000000,v1=ä"]
)
def test_a_header_that_is_no_signature_is_none(header):
    assert signed_at(["whsec_new"], BODY, header) is None


def test_a_signature_holds_for_its_time_its_body_and_its_secret():
    header = sign(BODY, 1_700_000_000, "whsec_new")
    for secrets, body, given in (
        ([], BODY, header),
        (["whsec_other"], BODY, header),
        (["whsec_new"], BODY + b" ", header),
        (["whsec_new"], BODY, header.replace("t=1700000000", "t=1700000001")),
        (["whsec_new"], BODY, header.replace("v1=", "v0=")),
    ):
        assert signed_at(secrets, body, given) is None


@pytest.mark.django_db(transaction=True)
def test_an_event_wakes_the_follower_once(settings, monkeypatch):
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = KEY, [WEBHOOK_SECRET]
    queued = []
    monkeypatch.setattr("payments.api.webhooks.enqueue", lambda task, network, **_: queued.append(network))

    def post(at, *secrets):
        answer = ApiClient().generic("POST", PATH, BODY, headers={"stripe-signature": sign(BODY, at.timestamp(), *secrets)})
        return answer.status_code, answer.json().get("data", {}).get("ignored")

    now = timezone.now()
    assert post(now) == (401, None)
    assert post(now, "whsec_other") == (401, None)
    assert post(now - timedelta(minutes=6), WEBHOOK_SECRET) == (200, "stale")
    assert queued == []
    assert not IncomingWebhook.objects.exists()
    assert post(now, WEBHOOK_SECRET) == (202, None)
    assert post(now, WEBHOOK_SECRET) == (200, "duplicate")
    assert queued == ["CARD"]
