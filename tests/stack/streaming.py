"""The web server with an application of streams, exports and events: `python -m tests.stack.streaming PORT`."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import uuid4

import django

BLOCKS = 1_000
BLOCK = b"x" * 60_000


class Export:
    streaming = True

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(BLOCKS):
            yield BLOCK


def stream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/events":
        return tell_now(start_response)
    start_response("200 OK", [("Content-Type", "text/csv")])
    return Export()


def tell_now(start_response: Callable[..., Any]) -> Iterable[bytes]:
    from django.http import HttpRequest

    from cryptons.serving.live_answers import LiveAnswer, live_response

    response = live_response(HttpRequest(), LiveAnswer("change", uuid4(), lambda topics: dict.fromkeys(topics, "1"), lambda: "now"))
    start_response("200 OK", [*response.items()])
    return response


def load(_target: str) -> Any:
    os.environ["DJANGO_SETTINGS_MODULE"] = "cryptons.settings"
    django.setup()
    from cryptons.serving.front import Front
    from cryptons.serving.worker_signals import call_on_stop

    front = Front(stream, threads=2)
    call_on_stop(front.end_streams)
    return front


def main() -> None:
    from cryptons.serving.listening import Listening
    from cryptons.serving.web import make_server

    make_server(Listening("127.0.0.1", int(sys.argv[1]), 1)).serve(target_loader=load)


if __name__ == "__main__":
    main()
