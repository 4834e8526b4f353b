"""Send deliveries: one lane for each endpoint, so that none waits for another, and one process at a time in each lane.

A delivery waits for the earlier ones of its subject, until they have failed HOLDS times. Its row is written after the answer came, so a
process that dies sends it again, under the same webhook-id.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import uniform
from uuid import UUID

import httpx
from django.conf import settings
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from cryptons.chunks import delete_in_chunks
from cryptons.db import atomic
from cryptons.events.deliveries import endpoints_changed
from cryptons.events.public_address import resolve
from cryptons.events.webhook_models import WebhookDelivery, WebhookEndpoint
from cryptons.http_deadline import Deadline, DeadlineTransport
from cryptons.mail.staff import mail_staff
from cryptons.standard_webhooks import sign
from cryptons.version import VERSION

WAITS = [
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
]
"""Before each further attempt, and up to JITTER more; after the last one a delivery has failed."""
JITTER = 0.1
HOLDS = 5
"""Attempts of a delivery that later ones of its subject wait for: about two and a half hours."""
ANSWER_WITHIN = timedelta(seconds=15)
"""For the whole answer, from the connection to its last byte."""
ANSWER_BYTES = 4096
"""Of the answer's body are read and kept."""
TURN_SECONDS = 20
"""After this time a process begins no other delivery of a lane."""
LEASE = timedelta(minutes=2)
"""How long a lane is left to the process that claimed it: more than a turn, a look-up of the host and an answer take."""
BATCH = 100
REST = timedelta(minutes=1)
"""The longest rest of a lane after failures in a row, the first of which is followed by FIRST_REST."""
FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=15)
"""The longest rest that a receiver can ask for by `Retry-After`."""
DISABLE_AFTER = timedelta(days=5)
"""Of failures without a success in between."""
KEEP = timedelta(days=30)
GONE = 410


@dataclass(frozen=True)
class Answer:
    status: int | None
    """Of HTTP; None if no answer came in time."""
    text: str = ""
    error: str = ""
    retry_after: str = ""
    """The header, as it came."""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def due_lanes(*, at: datetime) -> list[UUID]:
    """List the endpoints that have something to be sent, and that no process sends to."""
    free = Q(busy_until=None) | Q(busy_until__lte=at)
    endpoints = list(WebhookEndpoint.objects.filter(free, is_enabled=True).values_list("pk", flat=True))
    return [pk for pk in endpoints if WebhookDelivery.objects.due(at).filter(endpoint=pk).exists()]


def send_lane(endpoint_id: UUID, *, at: datetime) -> int:
    """Send what is due to the endpoint, until an attempt fails or TURN_SECONDS are over. Safe to repeat. Returns how many were delivered.

    Does nothing while another process sends to it.
    """
    until = (at + LEASE).replace(microsecond=0)
    free = Q(busy_until=None) | Q(busy_until__lte=at)
    if not WebhookEndpoint.objects.filter(free, pk=endpoint_id, is_enabled=True).update(busy_until=until):
        return 0
    endpoint = WebhookEndpoint.objects.get(pk=endpoint_id)
    count, answer = 0, None
    deadline = Deadline()
    with httpx.Client(transport=DeadlineTransport(deadline, resolve), trust_env=False, follow_redirects=False) as client:
        for delivery in _in_turn(endpoint, at=at):
            deadline.start(ANSWER_WITHIN)
            answer = _post(client, endpoint, delivery, at=at)
            _note(delivery, answer, at=at)
            if not answer.is_success:
                break
            count += 1
            if endpoint.failures:
                endpoint.failures = 0
                WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failures=0, failing_since=None)
    mine = WebhookEndpoint.objects.filter(pk=endpoint.pk, busy_until=until)
    if answer is None or answer.is_success:
        mine.update(busy_until=None)
    else:
        _rest(endpoint, answer, busy_until=until, at=at)
    return count


def _in_turn(endpoint: WebhookEndpoint, *, at: datetime) -> Iterator[WebhookDelivery]:
    """Yield what may be sent now, in order, for TURN_SECONDS. What must wait for an earlier delivery is due when that one is."""
    ends = time.monotonic() + TURN_SECONDS
    while batch := list(WebhookDelivery.objects.due(at).filter(endpoint=endpoint.pk).order_by("pk")[:BATCH]):
        earlier = _held_by(endpoint, {delivery.subject_id for delivery in batch}, at=at)
        for delivery in _sorted(batch):
            if time.monotonic() > ends:
                return
            waits = [moment for seq, moment in earlier.get(delivery.subject_id, ()) if seq < delivery.seq]
            if waits:
                WebhookDelivery.objects.waiting().filter(pk=delivery.pk).update(next_try_at=max(waits))
            else:
                yield delivery


def _held_by(endpoint: WebhookEndpoint, subjects: Collection[UUID], *, at: datetime) -> dict[UUID, list[tuple[int, datetime]]]:
    """Return, by subject, `seq` and the next attempt of each delivery that has failed, and that later ones wait for."""
    failed = WebhookDelivery.objects.waiting().filter(
        endpoint=endpoint.pk, subject_id__in=subjects, next_try_at__gt=at, attempts__gt=0, attempts__lt=HOLDS
    )
    held: dict[UUID, list[tuple[int, datetime]]] = {}
    for delivery in failed.only("subject_id", "seq", "next_try_at"):
        assert delivery.next_try_at is not None
        held.setdefault(delivery.subject_id, []).append((delivery.seq, delivery.next_try_at))
    return held


def _sorted(batch: list[WebhookDelivery]) -> list[WebhookDelivery]:
    """Sort by time, and those of one subject by `seq`: the clocks of two machines may differ."""
    first: dict[UUID, UUID] = {}
    for delivery in batch:
        first.setdefault(delivery.subject_id, delivery.pk)
    return sorted(batch, key=lambda delivery: (first[delivery.subject_id], delivery.seq, delivery.pk))


def signed_headers(endpoint: WebhookEndpoint, webhook_id: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks. Both secrets sign while the old one is good."""
    is_rotating = endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > at
    timestamp = str(int(at.timestamp()))
    secrets = [endpoint.secret, *([endpoint.old_secret] if is_rotating else [])]
    return {
        "content-type": "application/json",
        "user-agent": f"Cryptons/{VERSION}",
        "accept-encoding": "identity",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(sign(secret, webhook_id, timestamp, body) for secret in secrets),
    }


def _post(client: httpx.Client, endpoint: WebhookEndpoint, delivery: WebhookDelivery, *, at: datetime) -> Answer:
    body = delivery.body.encode()
    headers = signed_headers(endpoint, delivery.webhook_id, body, at=at)
    try:
        with client.stream("POST", endpoint.url, content=body, headers=headers) as response:
            text = b""
            for part in response.iter_raw():
                text += part
                if len(text) >= ANSWER_BYTES:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Answer(None, error=f"{type(error).__name__}: {error}"[:200])
    read = text[:ANSWER_BYTES].decode(errors="replace").replace("\0", "")
    return Answer(response.status_code, read, retry_after=response.headers.get("retry-after", ""))


def _note(delivery: WebhookDelivery, answer: Answer, *, at: datetime) -> None:
    """Write what came of an attempt, unless the delivery was changed since."""
    waits = WAITS[delivery.attempts :]
    status, next_try_at = WebhookDelivery.Status.DELIVERED, None
    if not answer.is_success:
        status = WebhookDelivery.Status.WAITING if waits else WebhookDelivery.Status.FAILED
        next_try_at = at + waits[0] * (1 + uniform(0, JITTER)) if waits else None  # noqa: S311 (to spread the attempts)
    WebhookDelivery.objects.waiting().filter(pk=delivery.pk, attempts=delivery.attempts).update(
        status=status,
        attempts=delivery.attempts + 1,
        next_try_at=next_try_at,
        tried_at=at,
        answer_status=answer.status,
        answer=answer.text,
        error=answer.error,
    )


def _rest(endpoint: WebhookEndpoint, answer: Answer, *, busy_until: datetime, at: datetime) -> None:
    """Let the lane rest after a failure, or disable the endpoint and tell staff."""
    mine = WebhookEndpoint.objects.filter(pk=endpoint.pk, busy_until=busy_until)
    since = endpoint.failing_since if endpoint.failures and endpoint.failing_since else at
    if answer.status == GONE or since <= at - DISABLE_AFTER:
        by = WebhookEndpoint.DisabledBy.RECEIVER if answer.status == GONE else WebhookEndpoint.DisabledBy.FAILURES
        with atomic():
            if mine.update(busy_until=None, is_enabled=False, disabled_by=by):
                _tell_disabled(endpoint, str(by.label), at=at)
                endpoints_changed()
        return
    rest = max(min(FIRST_REST * 2 ** min(endpoint.failures, 10), REST), _asked_rest(answer.retry_after, at=at))
    mine.update(busy_until=at + rest, failures=F("failures") + 1, failing_since=since)


def _asked_rest(text: str, *, at: datetime) -> timedelta:
    """Return how long a `Retry-After` asks for, at most LONGEST_REST: it has seconds or a date. What is neither asks for nothing."""
    if text.isascii() and text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LONGEST_REST)
    try:
        return min(parsedate_to_datetime(text).astimezone(UTC) - at, LONGEST_REST)
    except (ValueError, OverflowError):
        return timedelta(0)


def _tell_disabled(endpoint: WebhookEndpoint, why: str, *, at: datetime) -> None:
    with override(settings.LANGUAGE_CODE):
        subject = _("A webhook endpoint was disabled")
        text = _(
            "%(url)s is not told of events any more. %(why)s. Repair the receiver, then enable the endpoint in the admin: what waits is "
            "sent then, and earlier events can be sent again. Events that happen while it is disabled are not kept for it."
        ) % {"url": endpoint.url, "why": why}
        path = reverse("admin:events_webhookendpoint_change", args=[endpoint.pk])
    mail_staff("webhooks", f"webhook-disabled:{endpoint.pk}:{at:%Y-%m-%dT%H:%M:%S}", subject, text, path=path)


def forget_old_deliveries(*, at: datetime) -> int:
    """Delete what was written more than KEEP ago. Returns how many."""
    return delete_in_chunks(WebhookDelivery.objects.filter(created_at__lt=at - KEEP))
