"""The web server: `python -m cryptons.serving.web`.

The first process only holds granian's workers, so it starts itself again with what the settings say, and without Django.
"""

import os
import resource
import socket
import sys
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP2Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from cryptons.serving.certificate import watch_certificate
from cryptons.serving.garbage import collect_rarely, load_without_collections
from cryptons.serving.listening import Listening
from cryptons.serving.parent import end_with_parent

CONNECTIONS = 8192
"""Open at the same time in one process; more wait until some are closed."""
MAX_HEADERS_BYTES = 65_536
ACCEPT_SECONDS = 1
"""After this time a worker that was told to end accepts no more. New connections are then refused, and a proxy asks another server."""
FINISH_SECONDS = 10
"""How long requests may take to finish when the server stops. The supervisor waits a little longer."""


class Server(MPServer):
    """All workers accept from one socket, which outlives each of them.

    Granian gives each worker on Linux a socket of its own: connections are refused when the last one ends before the next one
    listens, and lost with a worker that is killed. Here they wait for a moment. When the server stops, the socket is shut down only after
    the workers were told to: one that still accepts would try again and again until it is killed.
    """

    _ssp: Any
    _shd: Any
    _sso: Any

    def _init_shared_socket(self) -> None:
        super()._init_shared_socket()  # type: ignore[no-untyped-call]  # says where to listen
        self._shd, self._ssp = self._ssp.build(), None
        self._sso = socket.socket(fileno=self._shd.get_fd())

    def _drop_shared_socket(self) -> None:
        """Leave it open: `_stop_workers` comes next."""

    def _stop_workers(self) -> None:
        refusing = Timer(ACCEPT_SECONDS, self._sso.shutdown, (socket.SHUT_RDWR,))
        refusing.daemon = True
        refusing.start()
        super()._stop_workers()  # type: ignore[no-untyped-call]  # returns when they have ended
        refusing.cancel()


def load_front(_target: str, redirect: socket.socket | None = None) -> Any:
    """Load Django and the front. Runs in each of granian's processes."""
    end_with_parent()
    load_without_collections()
    from django.conf import settings
    from django.db import connection

    from cryptons.wsgi import application

    if connection.vendor == "postgresql":
        from cryptons.statement_deadline import limit_statements

        limit_statements()

    from cryptons.serving.direct_answers import answer_directly
    from cryptons.serving.front import Front  # after Django is loaded: it needs models
    from cryptons.serving.worker_signals import call_on_stop

    front = Front(application, threads=settings.WEB_THREADS, redirect=redirect)
    front.start_verifying()
    call_on_stop(front.end_streams)
    answer_directly(front.send_at_once)
    collect_rarely()
    return front


def make_server(listening: Listening) -> Any:
    """Return granian's server of the front, not started yet."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return Server(
        "cryptons.serving.front",
        address=listening.host,
        port=listening.port,
        interface=Interfaces.RSGI,
        workers=listening.workers,
        backpressure=CONNECTIONS,
        http2_settings=HTTP2Settings(max_headers_size=MAX_HEADERS_BYTES),
        respawn_failed_workers=listening.workers > 1,
        workers_kill_timeout=FINISH_SECONDS,
        ssl_cert=Path(listening.certificate) if listening.certificate else None,
        ssl_key=Path(listening.key) if listening.certificate else None,
        websockets=False,
        log_level=LogLevels.error,
    )


def serve(listening: Listening) -> None:
    end_with_parent()
    server = make_server(listening)
    redirect = listening.redirect_socket()
    if listening.certificate:
        # As on SIGHUP: new workers take over, and the old ones finish what they have begun.
        watch_certificate(listening.certificate, listening.key, server.signal_handler_reload)
    server.serve(target_loader=partial(load_front, redirect=redirect))


def main() -> None:
    if len(sys.argv) > 1:
        serve(Listening.from_json(sys.argv[1]))
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
    from django.core.exceptions import ImproperlyConfigured

    try:
        command = Listening.from_settings().command()
    except ImproperlyConfigured as error:
        sys.exit(f"Cryptons cannot start: {error}")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
