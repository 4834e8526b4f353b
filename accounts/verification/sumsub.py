"""Sumsub, which checks documents for the shop: it gets the buyer's id, and reports its decision by a signed webhook.

Source: docs.sumsub.com, "Authentication", "Create applicant", "Generate external WebSDK link", "User verification webhooks".
"""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.verification.errors import ProviderUnavailable
from accounts.verification.models import Verification
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.http_deadline import Deadline, DeadlineTransport

WITHIN = timedelta(seconds=8)
LINK_SECONDS = 1800
MOST_BYTES = 256 * 1024
DIGESTS = {"HMAC_SHA256_HEX": hashlib.sha256, "HMAC_SHA512_HEX": hashlib.sha512}
"""How a webhook may be signed. SHA-1, which Sumsub has for old customers, is refused."""
Status = Verification.Status

circuit = CircuitBreaker(rest_seconds=15)


class BadWebhook(ValueError):
    """The message is not Sumsub's, or not in its format."""


@dataclass(frozen=True)
class Event:
    """What Sumsub reports of an applicant."""

    user_id: str
    applicant_id: str
    status: str
    """One of Verification.Status."""
    reason: str
    at: datetime


def open_link(verification: Verification, *, language: str) -> tuple[str, str]:
    """Make the buyer an applicant, and return the applicant's id and the address of the page where they go on.

    Raises ProviderUnavailable.
    """
    if not circuit.allows():
        raise _unavailable()
    try:
        applicant_id = verification.applicant_id or _create_applicant(str(verification.user_id), language)
        question = {"levelName": settings.SUMSUB_LEVEL, "userId": str(verification.user_id), "ttlInSecs": LINK_SECONDS}
        link = _ask("POST", f"/resources/sdkIntegrations/levels/-/websdkLink?lang={quote(language)}", question)["url"]
        if urlsplit(link).scheme != "https":
            raise ValueError("The link is not https.")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        circuit.record_failure()
        raise _unavailable() from error
    circuit.record_success()
    return applicant_id, link


def _unavailable() -> ProviderUnavailable:
    return ProviderUnavailable(_("The service that checks identities cannot be reached right now. Please try again in a few minutes."))


def _create_applicant(user_id: str, language: str) -> str:
    path = f"/resources/applicants?levelName={quote(settings.SUMSUB_LEVEL, safe='')}"
    try:
        return str(_ask("POST", path, {"externalUserId": user_id, "lang": language})["id"])
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 409:  # the applicant exists: an earlier answer was lost
            raise
    return str(_ask("GET", f"/resources/applicants/-;externalUserId={user_id}/one")["id"])


def _ask(method: str, path: str, question: Mapping[str, Any] | None = None) -> Any:
    """Send a signed request and return the JSON of the answer. Redirects are not followed."""
    body = json.dumps(question).encode() if question is not None else b""
    deadline = Deadline()
    deadline.start(WITHIN)
    with httpx.Client(transport=DeadlineTransport(deadline), trust_env=False) as http:
        url, headers = settings.SUMSUB_URL.rstrip("/") + path, {**sign(method, path, body), "Accept-Encoding": "identity"}
        with http.stream(method, url, content=body, headers=headers) as answer:
            content = b""
            for piece in answer.iter_raw():
                content += piece
                if len(content) > MOST_BYTES:
                    raise ValueError("The answer is too long.")
            answer.raise_for_status()
    return json.loads(content)


def sign(method: str, path: str, body: bytes) -> dict[str, str]:
    """Return the headers of a request: its signature is over the time, the method, the path with its query, and the body."""
    now = str(int(time.time()))
    signed = now.encode() + method.encode() + path.encode() + body
    return {
        "X-App-Token": settings.SUMSUB_APP_TOKEN,
        "X-App-Access-Sig": hmac.new(settings.SUMSUB_SECRET_KEY.encode(), signed, hashlib.sha256).hexdigest(),
        "X-App-Access-Ts": now,
        "Content-Type": "application/json",
        "Accept": "application/json",
    }


def check_digest(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise BadWebhook unless the raw body was signed with SUMSUB_WEBHOOK_SECRET."""
    algorithm = DIGESTS.get(headers.get("X-Payload-Digest-Alg", ""))
    given = headers.get("X-Payload-Digest", "")
    if algorithm is None or not settings.SUMSUB_WEBHOOK_SECRET:
        raise BadWebhook("The message is not signed with SHA-256 or SHA-512.")
    right = hmac.new(settings.SUMSUB_WEBHOOK_SECRET.encode(), body, algorithm).hexdigest()
    if not hmac.compare_digest(right.encode(), given.encode()):
        raise BadWebhook("The signature is wrong.")


def read_event(body: bytes) -> Event | None:
    """Read a webhook whose signature is right. None for what the shop does not use. Raises BadWebhook."""
    try:
        message = json.loads(body)
        result = message.get("reviewResult") or {}
        if message.get("levelName") != settings.SUMSUB_LEVEL:
            return None
        if message.get("sandboxMode") and not settings.SUMSUB_APP_TOKEN.startswith("sbx:"):
            return None
        status = _status(str(message["type"]), str(result.get("reviewAnswer", "")), str(result.get("reviewRejectType", "")))
        if not status:
            return None
        reason = str(result.get("moderationComment") or "") if status == Status.REJECTED else ""
        at = datetime.fromisoformat(str(message["createdAtMs"]))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return Event(str(message["externalUserId"]), str(message["applicantId"]), status, reason, at)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadWebhook("The message is not in Sumsub's format.") from error


def _status(kind: str, answer: str, reject_type: str) -> str:
    """Return the state of the verification that an event means. Everything but a GREEN answer leaves the buyer unverified."""
    if kind in ("applicantPending", "applicantOnHold"):
        return Status.PENDING
    if kind in ("applicantReset", "applicantDeleted", "applicantDeactivated"):
        return Status.OPEN
    if kind != "applicantReviewed":
        return ""
    if answer == "GREEN":
        return Status.APPROVED
    return Status.REFUSED if reject_type == "FINAL" else Status.REJECTED
