"""The certificate and key of a shop that speaks TLS itself. Loads no Django."""

import os
import ssl
import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 5


def certificate_problem(certificate: str, key: str) -> str:
    """Return why the two files cannot be used together, or nothing."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        return str(error.strerror or error)
    return ""


def watch_certificate(certificate: str, key: str, changed: Callable[[], None]) -> None:
    """Call `changed` in a thread each time when the files have changed and fit together again."""

    def watch() -> None:
        used = _stamp(certificate, key)
        while True:
            time.sleep(LOOK_SECONDS)
            now = _stamp(certificate, key)
            if now != used and not certificate_problem(certificate, key):
                used = now
                changed()

    threading.Thread(target=watch, name="Certificate", daemon=True).start()


def _stamp(*files: str) -> list[tuple[int, int, int]]:
    try:
        return [(status.st_ino, status.st_size, status.st_mtime_ns) for status in map(os.stat, files)]
    except OSError:  # while a file is being replaced
        return []
