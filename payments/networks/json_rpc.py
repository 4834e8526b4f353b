"""JSON over HTTP with one deadline for the whole answer: the way to Stripe, and as JSON-RPC to bitcoind, litecoind and rippled.

Nothing is sent twice: a request that was given up may have been carried out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
from django.utils.translation import gettext as _

from cryptons.http_deadline import Deadline, DeadlineTransport
from payments.errors import NodeUnavailable

MOST_BYTES = 256 * 1024 * 1024
"""Of one answer. A wallet's listing of 300,000 payments fits."""


class RpcError(Exception):
    """An error of the node that only the caller can judge."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    body: bytes
    content: Any
    """The JSON, its numbers with a point as Decimal; None when it is not JSON."""


class HttpClient:
    """One connection to a node, made at the first call and used again by the next ones. Not thread-safe."""

    def __init__(self, url: str, *, node: str, login: tuple[str, str] | None = None) -> None:
        """`node` begins a translated sentence: `The XRP server`. User and password are sent as they are, without percent-decoding."""
        self._url = url
        self._node = node
        self._deadline = Deadline()
        self._http = httpx.Client(
            auth=httpx.BasicAuth(*login) if login else None,
            headers={"Accept-Encoding": "identity"},
            transport=DeadlineTransport(self._deadline),
            trust_env=False,
        )

    def send(self, method: str, path: str, *, within: timedelta, content: str = "", headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Send the request and read the whole answer within that time. Raises NodeUnavailable."""
        self._deadline.start(within)
        try:
            with self._http.stream(method, f"{self._url}{path}", content=content, headers=headers) as answer:
                body = self._read(answer.iter_raw())
        except httpx.TimeoutException as error:
            raise NodeUnavailable(_("%(node)s does not answer in time.") % {"node": self._node}) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NodeUnavailable(
                _("%(node)s does not answer (%(kind)s).") % {"node": self._node, "kind": type(_origin(error)).__name__}
            ) from error
        return HttpAnswer(answer.status_code, body, _parse(answer.headers.get("Content-Type", ""), body))

    def _read(self, pieces: Iterable[bytes]) -> bytes:
        body = bytearray()
        for piece in pieces:
            body += piece
            if len(body) > MOST_BYTES:
                raise NodeUnavailable(
                    _("%(node)s sends an answer of more than %(size)s MiB.") % {"node": self._node, "size": MOST_BYTES // 1024**2}
                )
        return bytes(body)

    def close(self) -> None:
        self._http.close()


class JsonRpcClient(HttpClient):
    def post(self, question: dict[str, Any], *, within: timedelta, path: str = "") -> HttpAnswer:
        """Send the question and read the whole answer within that time. Raises NodeUnavailable."""
        return self.send("POST", path, within=within, content=json.dumps(question), headers={"Content-Type": "application/json"})


def _origin(error: BaseException) -> BaseException:
    """Return the operating system's error, which says more than the errors of httpx and httpcore."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error


def _parse(content_type: str, body: bytes) -> Any:
    if content_type and "json" not in content_type.lower():
        return None
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
