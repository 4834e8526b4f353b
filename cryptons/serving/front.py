"""The front: an event loop before Django (RSGI).

It reads requests whole before a thread is taken, so that slow clients cost no thread.
"""

import asyncio
import logging

from cryptons.serving.bodies import BodyReader, ClientGone, body_limit
from cryptons.serving.bounded_pool import BoundedPool, PoolFull
from cryptons.serving.refusals import BUSY, FAILED, Reason, Refusals, Refused
from cryptons.serving.wsgi_call import Application, Exchange, Scope, WsgiCall, clean_headers, environ_of

WAITING_FOR_EACH_THREAD = 128
HEALTH = "/healthz"

logger = logging.getLogger(__name__)


class Front:
    """The application that granian calls for each request."""

    def __init__(self, application: Application, *, threads: int) -> None:
        self._application = application
        self._pool = BoundedPool("Web", threads=threads, waiting=threads * WAITING_FOR_EACH_THREAD)
        self._probes = BoundedPool("Health", threads=1, waiting=WAITING_FOR_EACH_THREAD)
        self._bodies = BodyReader()
        self._refusals = Refusals()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        try:
            await self._respond(scope, exchange)
        except Refused as refused:
            self._refuse(scope, exchange, refused.reason)
        except ClientGone:
            exchange.response_empty(400, [("Server", ""), ("Connection", "close")])

    async def _respond(self, scope: Scope, exchange: Exchange) -> None:
        headers = clean_headers(scope)
        body = await self._bodies.read(exchange, headers, body_limit(scope.method, scope.path, headers))
        call = WsgiCall(exchange, asyncio.get_running_loop())
        pool = self._probes if scope.path == HEALTH else self._pool
        try:
            await pool.run(call.run, self._application, environ_of(scope, headers, body))
        except PoolFull as error:
            raise Refused(BUSY) from error
        except Exception as error:
            logger.exception("The application failed.", extra={"path": scope.path, "method": scope.method})
            if call.is_sent:
                return
            raise Refused(FAILED) from error
        finally:
            self._bodies.release(body)
        call.send()

    def _refuse(self, scope: Scope, exchange: Exchange, reason: Reason) -> None:
        refusal = self._refusals.answer(reason, scope.path)
        exchange.response_bytes(refusal.status, refusal.headers, refusal.body)
