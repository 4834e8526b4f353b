"""Answers that go on: server-sent events, which the front sends while the client stays, and makes again when a mark changes.

Django's view checks who asks and answers with the state of now. Without the front the answer ends there, and a client that follows the
standard comes back after RETRY_MS: it polls.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

RETRY_MS = 3000
STREAM_TYPE = "text/event-stream"

MarkReader = Callable[[Collection[UUID]], Mapping[UUID, str]]


@dataclass(frozen=True)
class LiveAnswer:
    """What one stream tells of one thing, its topic. Streams with the same name and topic get the same events."""

    name: str
    """The type of its events."""
    topic: UUID
    read_marks: MarkReader
    """Return the marks of many topics at once. A mark is the id of an event, and changes with what `write` returns."""
    write: Callable[[], str]
    """Return the data of an event: the state of now. Called after the mark was read, so that nothing old has a new mark."""

    def event(self, mark: str) -> bytes:
        lines = "\n".join(f"data: {line}" for line in self.write().split("\n"))  # not at others, such as U+2028, which JSON may have
        return f"event: {self.name}\nid: {mark}\n{lines}\n\n".encode()


class LiveResponse(HttpResponse):
    """The beginning of a stream; `live` and `mark` tell the front how it goes on."""

    def __init__(self, live: LiveAnswer, mark: str, **options: Any) -> None:
        super().__init__(content_type=STREAM_TYPE, **options)
        self.live, self.mark = live, mark


def live_response(request: HttpRequest, live: LiveAnswer) -> LiveResponse:
    """Answer with the state of now, unless the client has it already: it names its mark. Raises Http404.

    The caller has checked that the client may see it.
    """
    mark = live.read_marks([live.topic]).get(live.topic)
    if mark is None:
        raise Http404
    is_known = mark == (request.headers.get("Last-Event-ID") or request.GET.get("seen"))
    content = f"retry: {RETRY_MS}\n\n".encode() + (b"" if is_known else live.event(mark))
    # nginx otherwise keeps the events until there are enough of them; a cache in between must keep none.
    return LiveResponse(live, mark, content=content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
