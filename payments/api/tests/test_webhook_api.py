"""Signed hints over the API: who may send one sends it once, and it wakes the followers of the order's networks. It settles nothing."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.tests.factories import ApiClient
from cryptons.api.limits import forget_counts
from cryptons.standard_webhooks import sign
from payments.models import IncomingWebhook, Payment
from payments.sync.webhook_hints import canonical, check_signature
from payments.tasks import forget_old_webhooks
from payments.tests.factories import OptionFactory

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/webhooks/payment"
SECRET = "a-secret-of-the-shop"
NOBODYS_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _with_a_secret(settings):
    settings.WEBHOOK_SECRET = [SECRET]
    forget_counts()


@pytest.fixture
def queued(monkeypatch):
    queued = []
    monkeypatch.setattr("payments.api.webhooks.enqueue", lambda task, network, **_: queued.append((task.name.rpartition(".")[2], network)))
    return queued


@pytest.fixture
def option():
    return OptionFactory()


def hint(order, **data):
    return {
        "event": "payment.received",
        "data": {"orderId": str(order), "transactionHash": "ab" * 32, "amount": "0.00200000", "confirmations": 0, **data},
    }


def in_body(content, secret=SECRET):
    """Sign a body as docs/production.md says, with nothing but the standard library."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**content, "signature": hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}


def send(content, path=PATH):
    return ApiClient().post(path, content)


def send_with_headers(content, *, webhook_id="msg_1", sent_at=None, secret=SECRET, **headers):
    body = json.dumps(content).encode()
    timestamp = str(int((sent_at or timezone.now()).timestamp()))
    usual = {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": sign(secret, webhook_id, timestamp, body)}
    return ApiClient().generic("POST", PATH, body, headers=usual | headers)


def outcome(answer):
    data = answer.json()["data"]
    return answer.status_code, data["queued"], data["ignored"]


FORMS = pytest.mark.parametrize("send_hint", [lambda content: send(in_body(content)), send_with_headers], ids=["body", "headers"])


@FORMS
def test_a_signed_webhook_queues_the_followers_and_settles_nothing(option, queued, send_hint):
    OptionFactory(invoice=option.invoice, network="LTC", destination="rltc1q")

    answer = send_hint(hint(option.invoice.subject_id))

    assert outcome(answer) == (202, ["BTC", "LTC"], None)
    assert queued == [("follow_network", "BTC"), ("follow_network", "LTC")]
    option.invoice.refresh_from_db()
    assert (option.invoice.status, option.invoice.version) == ("new", 1)
    assert not Payment.objects.exists()


def test_a_webhook_may_name_the_order_by_its_number(option, queued):
    assert outcome(send(in_body(hint("7K3M9-2QFXA")))) == (202, ["BTC"], None)


def test_the_webhook_is_served_under_v1_too(option, queued):
    assert send(in_body(hint(option.invoice.subject_id)), "/api/v1/webhooks/payment").status_code == 202


@FORMS
@pytest.mark.parametrize("order", [NOBODYS_ID, "7K3M9-22222", "{$ne: null}", "😀"])
def test_a_webhook_for_an_unknown_order_is_not_found_and_may_be_repeated(queued, send_hint, order):
    answer = send_hint(hint(order))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert queued == []
    assert not IncomingWebhook.objects.exists()


@FORMS
def test_a_repeated_webhook_has_no_effect(option, queued, send_hint):
    content = hint(option.invoice.subject_id)

    assert [outcome(send_hint(content)) for _ in range(3)] == [(202, ["BTC"], None), *[(200, [], "duplicate")] * 2]
    assert len(queued) == 1


def test_a_webhook_repeated_with_its_signature_in_capitals_has_no_effect(option, queued):
    signed = in_body(hint(option.invoice.subject_id))

    assert send(signed).status_code == 202
    assert outcome(send({**signed, "signature": signed["signature"].upper()})) == (200, [], "duplicate")


@pytest.mark.parametrize(("seconds", "status"), [(-290, 202), (290, 202), (-310, 200), (310, 200)])
def test_a_webhook_older_than_five_minutes_has_no_effect(option, queued, seconds, status):
    sent_at = timezone.now() + timedelta(seconds=seconds)
    order = option.invoice.subject_id

    answers = [
        send_with_headers(hint(order), sent_at=sent_at),
        send(in_body(hint(order, timestamp=sent_at.isoformat()))),
        send(in_body(hint(order, timestamp=int(sent_at.timestamp())))),
    ]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert [answer.json()["data"]["ignored"] for answer in answers] == [None if status == 202 else "stale"] * 3
    assert len(queued) == (3 if status == 202 else 0)


def test_the_timestamp_in_the_headers_takes_precedence_over_the_one_in_the_body(option, queued):
    old = timezone.now() - timedelta(hours=1)

    answer = send_with_headers(hint(option.invoice.subject_id, timestamp=timezone.now().isoformat()), sent_at=old)

    assert outcome(answer) == (200, [], "stale")


WRONG = {
    "none": lambda order: send(hint(order)),
    "empty": lambda order: send({**hint(order), "signature": ""}),
    "another secret's": lambda order: send(in_body(hint(order), "another")),
    "another body's": lambda order: send({**in_body(hint(order)), "event": "payment.doubled"}),
    "no text": lambda order: send({**hint(order), "signature": {"$ne": None}}),
    "not ASCII": lambda order: send({**hint(order), "signature": "é" * 64}),
    "a list": lambda order: send([in_body(hint(order))]),
    "deep": lambda order: ApiClient().generic("POST", PATH, b'{"signature":"x","data":' + b"[" * 900 + b"]" * 900 + b"}"),
    "nothing": lambda order: ApiClient().generic("POST", PATH, b""),
    "headers of another secret": lambda order: send_with_headers(hint(order), secret="another"),
    "headers of another id": lambda order: send_with_headers(hint(order), **{"webhook-id": "msg_2"}),
    "headers without an id": lambda order: send_with_headers(hint(order), **{"webhook-id": ""}),
    "headers without a time": lambda order: send_with_headers(hint(order), **{"webhook-timestamp": "soon"}),
    "a long id": lambda order: send_with_headers(hint(order), webhook_id="m" * 129),
    "wrong headers over a right body": lambda order: send_with_headers(in_body(hint(order)), secret="another"),
}


@pytest.mark.parametrize("send_wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_signature_is_refused(option, queued, send_wrong):
    answer = send_wrong(option.invoice.subject_id)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert "Content-Security-Policy" in answer.headers
    assert queued == []
    assert not IncomingWebhook.objects.exists()


@FORMS
def test_every_webhook_is_refused_when_no_secret_is_configured(option, queued, settings, send_hint):
    settings.WEBHOOK_SECRET = []
    assert send_hint(hint(option.invoice.subject_id)).status_code == 401
    assert queued == []


def test_an_empty_secret_accepts_no_signature(option, settings):
    settings.WEBHOOK_SECRET = []
    assert send(in_body(hint(option.invoice.subject_id), "")).status_code == 401


def test_the_old_and_the_new_secret_are_accepted_during_a_rotation(option, queued, settings):
    settings.WEBHOOK_SECRET = ["the-new-one", SECRET]
    for number, secret in enumerate(settings.WEBHOOK_SECRET):
        assert send(in_body(hint(option.invoice.subject_id), secret)).status_code == 202
        assert send_with_headers(hint(option.invoice.subject_id), webhook_id=f"msg_{number}", secret=secret).status_code == 202


def changed(content, name, value):
    return {**content, "data": {key: old for key, old in {**content["data"], name: value}.items() if old is not ...}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("orderId", ...),
        ("orderId", {"$ne": None}),
        ("orderId", "a" * 81),
        ("orderId", "nul\0"),
        ("transactionHash", ...),
        ("transactionHash", 7),
        ("amount", ...),
        ("amount", "much"),
        ("amount", "-1"),
        ("amount", True),
        ("amount", []),
        ("confirmations", -1),
        ("confirmations", "1"),
        ("confirmations", 10**30),
        ("timestamp", "yesterday"),
        ("timestamp", -1),
        ("timestamp", 10**20),
        ("buyer", "somebody"),
    ],
)
def test_a_signed_body_with_a_wrong_value_names_the_field(option, queued, name, value):
    answer = send(in_body(changed(hint(option.invoice.subject_id), name, value)))

    assert answer.status_code == 400
    assert [row["field"] for row in answer.json()["error"]["details"]] == [f"data.{name}"]
    assert queued == []


def test_the_signature_is_checked_before_the_values(option):
    assert send(changed(hint(option.invoice.subject_id), "amount", "much")).status_code == 401


@pytest.mark.parametrize(("body", "content_type", "status"), [(b"{", "application/json", 400), (b"{}", "text/plain", 415)])
def test_a_body_that_is_not_json_is_refused_before_the_signature_is_checked(body, content_type, status):
    assert ApiClient().generic("POST", PATH, body, content_type).status_code == status


@pytest.mark.parametrize("amount", ["0.00200000", 0, 0.002, 1e-08, 0.00041234])
def test_the_signature_covers_amounts_as_they_were_written(option, queued, amount):
    assert send(in_body(hint(option.invoice.subject_id, amount=amount))).status_code == 202


@pytest.mark.parametrize("written", [b"1e-8", b"0.10", b"1E+2"])
def test_the_signature_covers_numbers_in_the_senders_notation(option, queued, written):
    head, tail = json.dumps(hint(option.invoice.subject_id, amount=7), sort_keys=True, separators=(",", ":")).encode().split(b"7,", 1)
    body = head + written + b"," + tail
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode()

    assert ApiClient().generic("POST", PATH, body[:-1] + b',"signature":"' + signature + b'"}').status_code == 202


def test_the_example_signature_in_the_documentation_is_correct(settings):
    """The signature was made by openssl with the secret `a-secret`."""
    settings.WEBHOOK_SECRET = ["a-secret"]
    body = (
        b'{"data":{"amount":"0.00200000","confirmations":0,"orderId":"7K3M9-2QFXA","transactionHash":"x"},"event":"payment.seen",'
        b'"signature":"d70717f272986af4e645f7aaebfcc5d1bc838db23636cc321e088550fa1b2c26"}'
    )
    assert check_signature({}, body).webhook_id.startswith("d70717f2")


def test_the_canonical_form_sorts_keys_on_every_level_and_keeps_non_ascii_letters():
    assert canonical({"b": [1, {"z": None, "ä": "€\n"}], "a": True}) == '{"a":true,"b":[1,{"z":null,"ä":"€\\n"}]}'


def test_a_webhook_does_not_queue_a_network_that_the_shop_no_longer_takes(option, queued):
    OptionFactory(invoice=option.invoice, network="DOGE")
    assert outcome(send(in_body(hint(option.invoice.subject_id)))) == (202, ["BTC"], None)


def test_webhook_ids_are_forgotten_after_a_day():
    for name, hours in (("new", 23), ("old", 25)):
        IncomingWebhook.objects.create(webhook_id=name, received_at=timezone.now() - timedelta(hours=hours))

    forget_old_webhooks()

    assert [each.webhook_id for each in IncomingWebhook.objects.all()] == ["new"]


def test_webhooks_count_towards_the_rate_limit(settings, queued):
    settings.RATE_LIMIT_API = "2/minute"
    assert [send(hint(NOBODYS_ID)).status_code for _ in range(3)] == [401, 401, 429]


def test_the_openapi_document_lists_the_statuses_of_the_webhook():
    responses = ApiClient().get("/api/schema").json()["paths"][PATH]["post"]["responses"]
    assert set(responses) == {"200", "202", "400", "401", "404", "408", "411", "413", "414", "415", "429", "431", "500", "503"}
