"""The web server with an application whose every answer is a long stream: `python -m tests.stack.streaming PORT`."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import django

BLOCKS = 1_000
BLOCK = b"x" * 60_000


class Export:
    streaming = True

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(BLOCKS):
            yield BLOCK


def export(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Export:
    start_response("200 OK", [("Content-Type", "text/csv")])
    return Export()


def load(_target: str) -> Any:
    os.environ["DJANGO_SETTINGS_MODULE"] = "cryptons.settings"
    django.setup()
    from cryptons.serving.front import Front

    return Front(export, threads=2)


def main() -> None:
    from cryptons.serving.listening import Listening
    from cryptons.serving.web import make_server

    make_server(Listening("127.0.0.1", int(sys.argv[1]), 1)).serve(target_loader=load)


if __name__ == "__main__":
    main()
