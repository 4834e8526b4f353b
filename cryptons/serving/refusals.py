"""Answers of the front itself, written once for each language, so that a refusal costs no thread and no template."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cryptons.api.envelope import failed, json_bytes
from cryptons.languages import API_LANGUAGE, language_of
from cryptons.middleware import security_headers

RETRY_SECONDS = 2


@dataclass(frozen=True)
class Reason:
    status: int
    code: str
    """In the API's envelope."""
    title: str
    message: str


TOO_LARGE = Reason(413, "PAYLOAD_TOO_LARGE", gettext_noop("Too large"), gettext_noop("The request is larger than this address accepts."))
NO_LENGTH = Reason(411, "LENGTH_REQUIRED", gettext_noop("No length"), gettext_noop("The request must say how long its body is."))
TOO_SLOW = Reason(408, "REQUEST_TIMEOUT", gettext_noop("Too slow"), gettext_noop("The request did not arrive in time. Please try again."))
BUSY = Reason(
    503,
    "SERVICE_UNAVAILABLE",
    gettext_noop("Very busy"),
    gettext_noop("The shop is very busy at the moment. Please try again in a few seconds."),
)
TOO_MANY_STREAMS = Reason(
    429,
    "RATE_LIMITED",
    gettext_noop("Too many streams"),
    gettext_noop("Too many streams are open from this address. Please close some, or try again later."),
)
FAILED = Reason(500, "INTERNAL_ERROR", gettext_noop("Error"), gettext_noop("Internal Server Error"))
REASONS = (TOO_LARGE, NO_LENGTH, TOO_SLOW, BUSY, TOO_MANY_STREAMS, FAILED)


class Refused(Exception):
    def __init__(self, reason: Reason, rest: AsyncIterator[bytes] | None = None) -> None:
        """`rest` is what is still to come of the request's body."""
        super().__init__(reason.message)
        self.reason = reason
        self.rest = rest


@dataclass(frozen=True)
class Refusal:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Refusals:
    """All answers to all reasons, by language. The API has one language."""

    def __init__(self) -> None:
        self._api = {reason: _envelope(reason) for reason in REASONS}
        self._pages = {(reason, language): _page(reason, language) for reason in REASONS for language, _name in settings.LANGUAGES}

    def answer(self, reason: Reason, path: str) -> Refusal:
        if path.startswith("/api/"):
            return self._api[reason]
        return self._pages[reason, language_of(path)]


def _envelope(reason: Reason) -> Refusal:
    with translation.override(API_LANGUAGE):
        body = json_bytes(failed(reason.code, _(reason.message)))
    return Refusal(reason.status, _headers(reason, "application/json"), body)


def _page(reason: Reason, language: str) -> Refusal:
    with translation.override(language):
        page = render_to_string("refused.html", {"title": _(reason.title), "explanation": _(reason.message)})
    return Refusal(reason.status, [*_headers(reason, "text/html; charset=utf-8"), ("Content-Language", language)], page.encode())


def _headers(reason: Reason, content_type: str) -> list[tuple[str, str]]:
    """The connection is closed, because the rest of the request may still be on its way."""
    headers = [("Server", ""), ("Content-Type", content_type), *security_headers().items()]
    if reason in (BUSY, TOO_MANY_STREAMS):
        headers.append(("Retry-After", str(RETRY_SECONDS)))
    return [*headers, ("Connection", "close")]
