"""The front: an event loop before Django (RSGI).

It sends files and ready answers itself, and reads requests whole before a thread is taken, so that slow clients cost no thread.
Nothing here may wait: no database, no cache, no node.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, parse_cookie

from cryptons import logs, middleware
from cryptons.api.limits import count_at_once
from cryptons.client_address import client_ip
from cryptons.page_holes import COOKIE, NOBODY, Visitor, read_visitor
from cryptons.serving.bodies import BodyReader, ClientGone, body_limit, discard
from cryptons.serving.bounded_pool import BoundedPool, PoolFull
from cryptons.serving.files import Pictures, read_static_files
from cryptons.serving.live_answers import LiveResponse
from cryptons.serving.live_streams import LiveStreams
from cryptons.serving.ready_answers import Key, ReadyAnswer, ReadyAnswers, answer_of, new_request_id
from cryptons.serving.redirect import HttpRedirect
from cryptons.serving.refusals import BUSY, FAILED, Reason, Refusals, Refused
from cryptons.serving.wsgi_call import Application, Exchange, Scope, WsgiCall, clean_headers, environ_of, host_of

WAITING_FOR_EACH_THREAD = 128
BEGIN_SECONDS = 10
"""How long a request waits for a thread, when all of them wait for something that hangs. It can be sent again: nothing was begun."""
HEALTH = "/healthz"
HEALTH_SECONDS = 5
"""A database that hangs, rather than fails, never answers: then the shop is not healthy."""
FOR_ONE_VISITOR = frozenset({"authorization", "origin", "transfer-encoding", "content-length"})
"""A request with one of these headers goes to Django."""

logger = logging.getLogger(__name__)


class Front:
    """The application that granian calls for each request."""

    def __init__(self, application: Application, *, threads: int, redirect: socket.socket | None = None) -> None:
        self._application = application
        self._redirect = redirect
        waiting = threads * WAITING_FOR_EACH_THREAD
        self._pool = BoundedPool("Web", threads=threads, waiting=waiting, begin_seconds=BEGIN_SECONDS)
        self._probes = BoundedPool(
            "Health", threads=1, waiting=WAITING_FOR_EACH_THREAD, begin_seconds=HEALTH_SECONDS, seconds=HEALTH_SECONDS
        )
        self._bodies = BodyReader()
        self._refusals = Refusals()
        self._files = read_static_files(Path(settings.STATIC_ROOT), settings.STATIC_URL)
        self._pictures = Pictures()
        self._answers = ReadyAnswers()
        self._streams = LiveStreams()
        self.end_streams = self._streams.end_all
        self._personal_cookies = (f"{settings.SESSION_COOKIE_NAME}=", "messages=")

        self._making: dict[Key, asyncio.Event] = {}
        """Ready answers that Django is making again: one thread is enough for all who ask for the same one."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.start_verifying = self._answers.start_verifying

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        if self._redirect is not None:
            self._http = loop.run_until_complete(HttpRedirect(settings.PUBLIC_URL).listen(self._redirect))

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        headers = clean_headers(scope)
        try:
            if scope.method in ("GET", "HEAD") and (
                self._send_kept(scope, exchange, headers) or await self._send_when_made(scope, exchange, headers)
            ):
                return
            await self._call(scope, exchange, headers)
        except Refused as refused:
            self._refuse(scope, exchange, refused.reason)
            if refused.rest is not None:
                await discard(refused.rest)
        except ClientGone:
            exchange.response_empty(400, [("Server", ""), ("Connection", "close")])

    def send_at_once(self, scope: Scope, exchange: Exchange) -> bool:
        """Answer without the event loop if that is possible. Returns whether it was. Any thread may call this."""
        return scope.method in ("GET", "HEAD") and self._send_kept(scope, exchange, clean_headers(scope))

    def _send_kept(self, scope: Scope, exchange: Exchange, headers: Mapping[str, str]) -> bool:
        return self._send_ready(scope, exchange, headers) or self._send_file(scope, exchange, headers)

    def _send_ready(self, scope: Scope, exchange: Exchange, headers: Mapping[str, str]) -> bool:
        """Answer from memory if that is possible. This runs for most requests, so each line of it counts."""
        visitor = self._visitor(headers)
        if visitor is None or (answer := self._answers.find(_key(scope, headers))) is None:
            return False
        if visitor is not NOBODY and answer.ready.page is None:
            return False
        request_id = headers.get("x-request-id", "")
        request_id = (request_id and middleware.request_id_of(request_id)) or new_request_id()
        more = [("X-Request-ID", request_id)]
        if answer.is_counted:
            client = _client(scope.client, headers.get("x-forwarded-for", ""))
            allowed, counted = count_at_once(settings.RATE_LIMIT_API, "api", client)
            if not allowed:
                return False
            more += counted.items()
        status = answer.send(exchange, scope.method, headers, visitor, more)
        if middleware.logger.isEnabledFor(logging.INFO):
            before = logs.request_id.set(request_id)
            middleware.log_request(scope.method, scope.path, status, time.perf_counter())
            logs.request_id.reset(before)
        return True

    def _send_file(self, scope: Scope, exchange: Exchange, headers: Mapping[str, str]) -> bool:
        file = self._files.get(scope.path) or self._pictures.find(scope.path)
        if file:
            file.send(exchange, scope.method, headers)
        return file is not None

    async def _send_when_made(self, scope: Scope, exchange: Exchange, headers: Mapping[str, str]) -> bool:
        """Wait for a thread that makes the same answer, and send that."""
        making = self._making.get(_key(scope, headers))
        if making is None or self._visitor(headers) is None:
            return False
        await making.wait()
        return self._send_ready(scope, exchange, headers)

    def _visitor(self, headers: Mapping[str, str]) -> Visitor | None:
        """Return who asks: NOBODY without a session; None if only Django can tell."""
        if not FOR_ONE_VISITOR.isdisjoint(headers):
            return None
        text = headers.get("cookie", "")
        if not text or not any(name in text for name in self._personal_cookies):
            return NOBODY
        cookies = parse_cookie(text)
        visitor = read_visitor(cookies.get(COOKIE, ""), cookies.get(settings.SESSION_COOKIE_NAME, ""), at=time.time())
        return None if visitor is None or visitor.has_message or "messages" in cookies else visitor

    async def _call(self, scope: Scope, exchange: Exchange, headers: Mapping[str, str]) -> None:
        """Run the application in a thread, once the request is there as a whole."""
        body = await self._bodies.read(exchange, headers, body_limit(scope.method, scope.path, headers))
        call = WsgiCall(exchange, self._loop)
        pool = self._probes if scope.path == HEALTH else self._pool
        visitor = self._visitor(headers) if scope.method == "GET" else None
        key = _key(scope, headers)
        making = asyncio.Event()
        if visitor is not None and self._answers.is_known(key):
            self._making[key] = making
        try:
            answer = await pool.run(_run, call, self._application, environ_of(scope, headers, body), visitor is not None)
        except PoolFull as error:
            raise Refused(BUSY) from error
        except Exception as error:
            logger.exception("The application failed.", extra={"path": scope.path, "method": scope.method})
            if call.stream is None:
                raise Refused(FAILED) from error
        else:
            if answer:
                self._answers.put(key, answer)
        finally:
            self._bodies.release(body)
            if self._making.get(key) is making:
                del self._making[key]
            making.set()
        if visitor is NOBODY and call.file and call.status == 200:
            self._pictures.keep(scope.path, call.file, call.headers)
        if isinstance(call.response, LiveResponse) and scope.method == "GET":
            endless = [(name, value) for name, value in call.headers if name.lower() != "content-length"]
            client = _client(scope.client, headers.get("x-forwarded-for", ""))
            await self._streams.hold(exchange, call.response, endless, client)
        else:
            await call.send()

    def _refuse(self, scope: Scope, exchange: Exchange, reason: Reason) -> None:
        refusal = self._refusals.answer(reason, scope.path)
        exchange.response_bytes(refusal.status, refusal.headers, refusal.body)


def _run(call: WsgiCall, application: Application, environ: dict[str, object], keeps: bool) -> ReadyAnswer | None:
    """Run the call in a thread. Returns what everybody may get of the answer."""
    call.run(application, environ)
    return answer_of(call.response, call.headers) if keeps else None


def _key(scope: Scope, headers: Mapping[str, str]) -> Key:
    return scope.scheme, headers.get("x-forwarded-proto", ""), headers.get("host", ""), scope.path, scope.query_string


@lru_cache(4096)
def _client(connected: str, forwarded: str) -> str:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": host_of(connected), "HTTP_X_FORWARDED_FOR": forwarded}
    return client_ip(request)
