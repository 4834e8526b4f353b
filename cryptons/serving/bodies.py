"""Reads the bodies of requests on the event loop: at most so many bytes for each route, and for so long."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from cryptons.serving.refusals import BUSY, NO_LENGTH, TOO_LARGE, TOO_SLOW, Refused

FORM_BYTES = 1_000_000
"""What Django and the API's parser read at most, too (DATA_UPLOAD_MAX_MEMORY_SIZE)."""
UPLOAD_BYTES = 32_000_000
"""Several pictures of a product in one form."""
FORM_SECONDS = 30
UPLOAD_SECONDS = 300
HELD_BYTES = 256_000_000
"""Of all bodies of one process together."""
UNUSED_BYTES = 64_000
"""Of a GET's body, which means nothing: some clients send `{}`. More is refused."""
DISCARD_SECONDS = 5
"""How long the rest of a refused body is read."""

_UPLOAD_ROUTES = re.compile(r"(/[a-z]{2,3}(-[a-z0-9]+)?)?/(admin/|account/verification/$)|/api/(v1/)?products/[^/]+/images/?$")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BodySource(Protocol):
    """What granian's RSGI protocol offers: the chunks of a body as they arrive. They can be asked for once."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True)
class BodyLimit:
    bytes: int
    seconds: float


NO_BODY = BodyLimit(0, FORM_SECONDS)
FORM = BodyLimit(FORM_BYTES, FORM_SECONDS)
UPLOAD = BodyLimit(UPLOAD_BYTES, UPLOAD_SECONDS)


def body_limit(method: str, path: str, headers: Mapping[str, str]) -> BodyLimit:
    """Return how much the route takes. Only a request with a cookie or a token may upload files: the rest is refused unread."""
    if method in _SAFE:
        return NO_BODY
    if ("cookie" in headers or "authorization" in headers) and _UPLOAD_ROUTES.match(path):
        return UPLOAD
    return FORM


class ClientGone(Exception):
    """The connection was closed before the body was whole. Nobody waits for an answer."""


class BodyReader:
    """Reads bodies, and knows how many bytes all the unfinished requests of this process hold."""

    def __init__(self, *, held_bytes: int = HELD_BYTES) -> None:
        self._free = held_bytes

    async def read(self, source: BodySource, headers: Mapping[str, str], limit: BodyLimit) -> bytes:
        """Return the whole body. Raises Refused and ClientGone. Call `release` with it when the request has been answered.

        When a connection breaks, granian ends the chunks as if the body were whole. So a body needs a length, or must be JSON, which
        cannot be read in part.
        """
        if _is_empty(headers, limit):
            return b""
        declared = _declared(headers)
        rest = _chunks(source)
        if not limit.bytes:
            return await _skip(rest, declared, limit)
        if declared is None and limit.bytes and not headers.get("content-type", "").startswith("application/json"):
            raise Refused(NO_LENGTH, rest)
        if declared is not None and declared > limit.bytes:
            raise Refused(TOO_LARGE, rest)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limit.seconds):
                async for chunk in rest:
                    size += len(chunk)
                    self._free -= len(chunk)
                    if size > limit.bytes:
                        raise Refused(TOO_LARGE, rest)
                    if self._free < 0:
                        raise Refused(BUSY, rest)
                    chunks.append(chunk)
            if declared is not None and size < declared:
                raise ClientGone
        except BaseException as error:
            self._free += size
            if isinstance(error, TimeoutError):
                raise Refused(TOO_SLOW) from error
            raise
        return b"".join(chunks)

    def release(self, body: bytes) -> None:
        self._free += len(body)


async def _chunks(source: BodySource) -> AsyncIterator[bytes]:
    """Yield the chunks. Of this iterator the rest can be asked for later."""
    async for chunk in source:
        yield chunk


async def _skip(rest: AsyncIterator[bytes], declared: int | None, limit: BodyLimit) -> bytes:
    """Read a body that is not used, so that the connection can go on. Returns none of it. Raises Refused."""
    size = declared or 0
    try:
        async with asyncio.timeout(limit.seconds):
            while size <= UNUSED_BYTES and (chunk := await anext(rest, None)) is not None:
                size += len(chunk) if declared is None else 0
    except TimeoutError as error:
        raise Refused(TOO_SLOW) from error
    if size > UNUSED_BYTES:
        raise Refused(TOO_LARGE, rest)
    return b""


async def discard(rest: AsyncIterator[bytes]) -> None:
    """Read what is still to come of a refused body, up to a bound.

    A server that closes a connection on which bytes still arrive resets it, and the answer is lost: a proxy then says 502.
    """
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            async for chunk in rest:
                size += len(chunk)
                if size > UPLOAD_BYTES:
                    return


def _is_empty(headers: Mapping[str, str], limit: BodyLimit) -> bool:
    """Return whether there is nothing to read. In HTTP/2 a body needs no header that announces it."""
    if "transfer-encoding" in headers:
        return False
    return headers.get("content-length", "" if "content-type" in headers and limit.bytes else "0") == "0"


def _declared(headers: Mapping[str, str]) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() and "transfer-encoding" not in headers else None
