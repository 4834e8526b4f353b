"""A conversation with Stripe's API: forms over HTTPS, JSON back, with its failures raised as the shop's own errors.

Stripe's own package is not used: it waits for each read separately, so an answer that drips would hold a page for ever, and it is larger
than the shop.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.circuit_breaker import CircuitBreaker
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.json_rpc import HttpAnswer, HttpClient

VERSION = "2024-06-20"
"""Of the API: how its answers look does not change while it is named."""
PAGE = 100
"""The most that Stripe lists in one answer."""
BUSY = (409, 429)
"""Another request with the same key is under way; too many requests."""

Value = str | int | Mapping[str, Any] | Sequence[Any]

_circuit = CircuitBreaker(rest_seconds=3)


class StripeRefused(NodeRejected):
    """Stripe understood this request and refused it, for a reason that only the caller can judge."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(_("Stripe refuses: %(reason)s") % {"reason": message or code})
        self.code = code


class Conversation:
    """A connection that lasts no longer than `within` in total; each request takes at most NODE_TIMEOUT_SECONDS."""

    def __init__(self, *, within: timedelta, circuit: CircuitBreaker | None) -> None:
        self._ends = time.monotonic() + within.total_seconds()
        self._circuit = circuit
        self._http = HttpClient(settings.STRIPE_API_URL, node="Stripe")

    def get(self, path: str, **values: Value) -> dict[str, Any]:
        """Raises NodeUnavailable, NodeRejected (StripeRefused among them)."""
        return self._ask("GET", f"{path}?{form(values)}" if values else path)

    def post(self, path: str, *, key: str = "", **values: Value) -> dict[str, Any]:
        """Send a form. The same `key` again, within a day, changes nothing and has the same answer. Raises what `get` raises."""
        return self._ask("POST", path, form(values), {"Idempotency-Key": key} if key else {})

    def pages(self, path: str, **values: Value) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list, page by page. Raises what `get` raises."""
        page = self.get(path, limit=PAGE, **values)
        while True:
            yield from page["data"]
            if not page["has_more"]:
                return
            page = self.get(path, limit=PAGE, starting_after=page["data"][-1]["id"], **values)

    @property
    def time_left(self) -> timedelta:
        return timedelta(seconds=self._ends - time.monotonic())

    def _ask(self, method: str, path: str, content: str = "", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        if self._circuit and not self._circuit.allows():
            raise NodeUnavailable(_("%(node)s does not answer in time.") % {"node": "Stripe"})
        common = {
            "Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}",
            "Stripe-Version": VERSION,
            **({"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}),
        }
        try:
            answer = self._http.send(
                method,
                path,
                within=min(self.time_left, timedelta(seconds=settings.NODE_TIMEOUT_SECONDS)),
                content=content,
                headers={**common, **(headers or {})},
            )
        except NodeUnavailable:
            if self._circuit:
                self._circuit.record_failure()
            raise
        if self._circuit:
            self._circuit.record_success()
        return _content(answer)

    def close(self) -> None:
        self._http.close()


def form(values: Mapping[str, Value]) -> str:
    """Encode as Stripe reads forms: `line_items[0][quantity]=1`."""
    return urlencode(list(_pairs(values)))


def _pairs(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, Mapping):
            yield from _pairs(value, key)
        elif isinstance(value, list | tuple):
            yield from _pairs({str(number): each for number, each in enumerate(value)}, key)
        else:
            yield key, str(value)


def _content(answer: HttpAnswer) -> dict[str, Any]:
    content = answer.content
    if answer.status >= 500 or answer.status in BUSY or not isinstance(content, dict):
        raise NodeUnavailable(_("Stripe does not answer the request (HTTP status %(status)s).") % {"status": answer.status})
    if answer.status < 300:
        return content
    error = content.get("error")
    error = error if isinstance(error, dict) else {}
    if answer.status in (401, 403):
        raise NodeRejected(
            _("Stripe does not accept STRIPE_SECRET_KEY, or the key may not do this: %(reason)s") % {"reason": error.get("message", "")}
        )
    raise StripeRefused(str(error.get("code") or answer.status), str(error.get("message") or ""))


@contextmanager
def open_stripe(*, within: timedelta, is_probe: bool = False) -> Iterator[Conversation]:
    """Connect to Stripe. Raises NodeUnavailable, NodeRejected; also for an answer that lacks what the caller reads in it.

    A probe waits for less than others do, so that its failure stops nobody else.
    """
    stripe = Conversation(within=within, circuit=None if is_probe else _circuit)
    try:
        yield stripe
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise NodeUnavailable(
            _("An answer of Stripe cannot be understood (%(kind)s: %(reason)s).") % {"kind": type(error).__name__, "reason": error}
        ) from error
    finally:
        stripe.close()
