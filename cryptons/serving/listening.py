"""Where the web server listens, and with how many processes: all that a process needs to know that does not load Django."""

import json
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True)
class Listening:
    host: str
    port: int
    workers: int
    certificate: str = ""
    key: str = ""
    redirect_port: int = 0
    """Where plain http is redirected to TLS; 0 for nowhere."""

    @classmethod
    def from_settings(cls) -> Self:
        """Read the settings. Raises ImproperlyConfigured."""
        from django.conf import settings

        certificate = settings.TLS_CERTIFICATE
        redirect_port = settings.HTTP_REDIRECT_PORT if certificate else 0
        return cls(settings.HOST, settings.PORT, settings.WEB_WORKERS, certificate, settings.TLS_KEY, redirect_port)

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def command(self) -> list[str]:
        """Return the command that starts the web server."""
        return [sys.executable, "-m", "cryptons.serving.web", json.dumps(asdict(self))]

    def redirect_socket(self) -> socket.socket | None:
        """Open the socket for plain http, which all processes of the web server accept from."""
        if not self.redirect_port:
            return None
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host, self.redirect_port), family=family, backlog=1024)
