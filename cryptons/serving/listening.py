"""Where the web server listens, and with how many processes: all that a process needs to know that does not load Django."""

import json
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

    @classmethod
    def from_settings(cls) -> Self:
        """Read the settings. Raises ImproperlyConfigured."""
        from django.conf import settings

        return cls(settings.HOST, settings.PORT, settings.WEB_WORKERS, settings.TLS_CERTIFICATE, settings.TLS_KEY)

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def command(self) -> list[str]:
        """Return the command that starts the web server."""
        return [sys.executable, "-m", "cryptons.serving.web", json.dumps(asdict(self))]
