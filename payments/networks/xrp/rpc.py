"""A conversation with an XRP Ledger server (rippled or Clio): JSON-RPC over HTTP, its failures told in the shop's own errors.

The requests are xrpl-py's. Its client is not used: it waits ten seconds for every word whatever the settings say, lets a server that
drips keep a worker for ever, and loads the system's certificates anew for each question.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from ssl import SSLContext
from typing import Any

import httpx
from django.conf import settings
from xrpl.clients import request_to_json_rpc
from xrpl.constants import XRPLException
from xrpl.models.requests.request import Request

from payments.errors import NodeRejected, NodeUnavailable

OVERLOADED = "The XRP server is overloaded, or the shop asks it too often."
OUT_OF_STEP = "The XRP server is not in step with the network."
NOT_A_SERVER = "What answers at XRP_URL is not the JSON-RPC of an XRP server."

_PASSING = {
    "slowDown": OVERLOADED,
    "tooBusy": OVERLOADED,
    "noNetwork": OUT_OF_STEP,
    "noCurrent": OUT_OF_STEP,
    "noClosed": OUT_OF_STEP,
    "notSynced": OUT_OF_STEP,
    "notReady": OUT_OF_STEP,
    "amendmentBlocked": "The XRP server is too old for the rules of the network (amendment blocked): update it.",
}
_LASTING = {
    "actMalformed": "XRP_ADDRESS is not the address of an account.",
    "noPermission": "The XRP server does not allow the shop's questions.",
    "notEnabled": "The XRP server keeps no transactions that can be asked for.",
    "unknownCmd": "The XRP server does not know the shop's questions.",
    "invalidParams": "The XRP server does not understand the shop's questions.",
}


class XrpError(Exception):
    """What the server answered and only the caller can judge."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Conversation:
    """All of it takes no longer than `within`, however many questions it has; each no longer than NODE_TIMEOUT_SECONDS."""

    def __init__(self, *, within: timedelta) -> None:
        self._ends = time.monotonic() + within.total_seconds()
        self._http = httpx.Client(verify=_certificates(), headers={"Content-Type": "application/json"})

    def ask(self, request: Request) -> dict[str, Any]:
        """The answer's `result`. Raises NodeUnavailable, NodeRejected, and XrpError."""
        ends = min(self._ends, time.monotonic() + settings.NODE_TIMEOUT_SECONDS)
        try:
            status, body = self._post(json.dumps(request_to_json_rpc(request)), ends)
        except httpx.TimeoutException as error:
            raise NodeUnavailable("The XRP server does not answer in time.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NodeUnavailable(f"The XRP server does not answer ({type(error).__name__}).") from error
        return _result(status, body)

    def _post(self, question: str, ends: Any) -> tuple[int, bytes]:
        """httpx counts its time-out anew for each piece that comes."""
        body = b""
        with self._http.stream("POST", settings.XRP_URL, content=question, timeout=_left(ends)) as answer:
            for piece in answer.iter_bytes():
                body += piece
                _left(ends)
            return answer.status_code, body

    def has_time(self, needed: timedelta) -> bool:
        return time.monotonic() + needed.total_seconds() < self._ends

    def close(self) -> None:
        self._http.close()


@cache
def _certificates() -> SSLContext:
    return httpx.create_ssl_context()


def _left(ends: Any) -> Any:
    """In seconds. Raises httpx.ReadTimeout when none are."""
    left = ends - time.monotonic()
    if left <= 0:
        raise httpx.ReadTimeout("The time is over.")
    return left


def _result(status: int, body: bytes) -> dict[str, Any]:
    """Overloaded servers and proxies answer in words, rippled with status 200 to nearly everything, Clio with others too."""
    try:
        answer = json.loads(body)
        result = answer.get("result", answer)
        error = result.get("error")
    except (ValueError, AttributeError, RecursionError):
        raise _not_understood(status, body) from None
    if error is not None:
        raise _translated(str(error), result)
    if status != 200 or "result" not in answer:
        raise _not_understood(status, body)
    return dict(result)


def _not_understood(status: int, body: bytes) -> Exception:
    if b"invalid_API_version" in body:
        return NodeRejected("The XRP server is too old: the shop needs rippled or Clio 2.0 or newer.")
    if status in (401, 403):
        return NodeRejected("The XRP server does not allow the shop's questions.")
    if status in (404, 405):
        return NodeRejected(NOT_A_SERVER)
    if status in (429, 503):
        return NodeUnavailable(OVERLOADED)
    return NodeUnavailable(f"{NOT_A_SERVER} (HTTP status {status})")


def _translated(code: str, result: dict[str, Any]) -> Exception:
    if code in _PASSING:
        return NodeUnavailable(_PASSING[code])
    if code in _LASTING:
        return NodeRejected(_LASTING[code])
    return XrpError(code, str(result.get("error_message") or result.get("error_exception") or code))


@contextmanager
def open_xrp(*, within: timedelta) -> Iterator[Conversation]:
    """One conversation. Raises NodeUnavailable, NodeRejected; also for an answer that lacks what the caller reads in it."""
    xrp = Conversation(within=within)
    try:
        yield xrp
    except XrpError as error:
        raise NodeUnavailable(f"The XRP server says: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, XRPLException) as error:
        raise NodeUnavailable(f"An answer of the XRP server cannot be understood ({type(error).__name__}: {error}).") from error
    finally:
        xrp.close()
