"""The web server: `python -m cryptons.serving.web`."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from cryptons.serving.parent import end_with_parent

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def without_banner(application: Application) -> Application:
    """Send an empty Server header, because granian adds its name to a response without one."""

    def respond(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("Server", "")], exc_info)

        return application(environ, start)

    return respond


def load_application(target: str) -> Application:
    """Load the application. Runs in each of granian's processes."""
    end_with_parent()
    from cryptons.wsgi import application

    return without_banner(application)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
    from django.conf import settings
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    end_with_parent()
    try:
        server = Granian(
            "cryptons.wsgi:application",
            address=settings.HOST,
            port=settings.PORT,
            interface=Interfaces.WSGI,
            workers=settings.WEB_WORKERS,
            blocking_threads=settings.WEB_THREADS,
            respawn_failed_workers=settings.WEB_WORKERS > 1,
            workers_kill_timeout=5,
            websockets=False,
            log_level=LogLevels.error,
        )
    except ImproperlyConfigured as error:
        sys.exit(f"Cryptons cannot start: {error}")
    server.serve(target_loader=load_application)


if __name__ == "__main__":
    main()
