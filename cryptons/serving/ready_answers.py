"""Whole answers that are sent without a thread of Django: what `cryptons.response_cache` keeps, with headers, also compressed.

An answer may be sent while its version was verified a moment ago. A thread verifies those that are in use once a second, because
reading a version may wait for a cache; who sends an answer only compares times. When the thread hangs, the answers in use go on.
"""

import gzip
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptons.api.limits import share_counts
from cryptons.page_holes import NOBODY, Visitor
from cryptons.response_cache import ENCODINGS, OUTAGE, PRIVATE, Ready, distrusted_at, encoded_etag, matches
from cryptons.serving.wsgi_call import Exchange, Headers

try:
    import brotli
except ImportError:  # pragma: no cover
    brotli = None

SECOND = 10**9
VERIFY_SECONDS = 1
TRUST = 2 * SECOND
"""How long an answer is sent after its version was verified, while the thread does its turns."""
OUTAGE_TRUST = 60 * SECOND
"""How long, while versions cannot be read because the cache is down."""
MAX_BYTES = 64 * 1024 * 1024
LEAST_BYTES = 500
"""Smaller bodies are not worth compressing."""

EACH_TIME = frozenset({"x-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "content-length"})
"""Headers that belong to one request."""
OF_THE_CACHE = frozenset({"etag", "cache-control"})
ABOUT_THE_BODY = frozenset({"content-type", "content-language"})
"""What a 304 does not have."""


@dataclass(frozen=True, slots=True)
class Variant:
    headers: Headers
    body: bytes


@dataclass(slots=True)
class ReadyAnswer:
    ready: Ready
    variants: Mapping[str, Variant]
    """By encoding; the empty one is the body as it is."""
    not_modified: Headers
    private: Headers
    """For a visitor with a session, whose body is another one each time."""
    size: int
    is_counted: bool
    """Whether requests for it count for the limit of the API, as the headers of Django's answer say."""
    used_at: int = 0

    def send(self, exchange: Exchange, method: str, headers: Mapping[str, str], visitor: Visitor, more: Headers) -> int:
        """Send the answer with `more` headers. Returns the status."""
        if visitor is not NOBODY:
            body = self.ready.fill(visitor)
            more = [*self.private, *more, ("Content-Length", str(len(body)))]
        elif "if-none-match" in headers and matches(self.ready.etags(), headers["if-none-match"]):
            exchange.response_empty(304, self.not_modified + more)
            return 304
        else:
            variant = self._variant(headers.get("accept-encoding", ""))
            body, more = variant.body, variant.headers + more
        if method == "HEAD":
            exchange.response_empty(200, more)
        else:
            exchange.response_bytes(200, more, body)
        return 200

    def _variant(self, accepted: str) -> Variant:
        for encoding in ENCODINGS if accepted and len(self.variants) > 1 else ():
            if encoding in self.variants and accepts(accepted, encoding):
                return self.variants[encoding]
        return self.variants[""]


@lru_cache(4096)
def accepts(accepted: str, encoding: str) -> bool:
    """Read Accept-Encoding, in which `;q=0` refuses. What is unclear counts as refused."""
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == encoding:
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False


def make_answer(ready: Ready, headers: Headers) -> ReadyAnswer:
    """Put the headers of Django's answer around each form of the body. Compressing takes a while: call it in a thread."""
    common = [(name, value) for name, value in headers if name.lower() not in EACH_TIME | OF_THE_CACHE]
    kept = [*common, ("ETag", ready.etag), ("Cache-Control", ready.cache_control)]
    variants = {"": Variant([*kept, ("Content-Length", str(len(ready.body)))], ready.body)}
    for encoding, body in _compressed(ready.body):
        changed = [(name, encoded_etag(value, encoding) if name.lower() == "etag" else value) for name, value in kept]
        changed += [("Content-Encoding", encoding), ("Content-Length", str(len(body)))]
        variants[encoding] = Variant(changed, body)
    not_modified = [(name, value) for name, value in kept if name.lower() not in ABOUT_THE_BODY]
    private = [*common, ("Cache-Control", PRIVATE)]
    size = sum(len(variant.body) for variant in variants.values())
    is_counted = any(name.lower() == "ratelimit-limit" for name, _value in headers)
    return ReadyAnswer(ready, variants, not_modified, private, size, is_counted)


def _compressed(body: bytes) -> list[tuple[str, bytes]]:
    if len(body) < LEAST_BYTES:
        return []
    forms = [("gzip", gzip.compress(body, 6, mtime=0))]
    if brotli is not None:
        forms.append(("br", brotli.compress(body, quality=5)))
    return [(encoding, form) for encoding, form in forms if len(form) < len(body)]


Key = tuple[str, ...]


class ReadyAnswers:
    """The answers of one process, by the request as it arrives. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, ReadyAnswer] = OrderedDict()
        self._bytes = 0
        self._turn_ended = time.monotonic_ns()

    def find(self, key: Key) -> ReadyAnswer | None:
        answer = self._kept.get(key)
        if answer is None:
            return None
        answer.used_at = now = time.monotonic_ns()
        ready = answer.ready
        if ready.verified_at < self._turn_ended - TRUST or ready.verified_at < distrusted_at() or now > ready.until:
            return None
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
        return answer

    def is_known(self, key: Key) -> bool:
        """Return whether there is an answer, even if it must be verified or made again."""
        return key in self._kept

    def put(self, key: Key, answer: ReadyAnswer) -> None:
        answer.used_at = time.monotonic_ns()
        with self._lock:
            self._drop(key)
            self._kept[key] = answer
            self._bytes += answer.size
            while self._bytes > MAX_BYTES:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        if old := self._kept.pop(key, None):
            self._bytes -= old.size

    def verify(self) -> None:
        """Read the versions of all answers in use. Safe in a thread other than the loop's; waits as long as the cache does."""
        begun = time.monotonic_ns()
        with self._lock:
            kept = list(self._kept.values())
        in_use = {id(answer.ready): answer.ready for answer in kept if answer.used_at > begun - 2 * TRUST}
        for ready in in_use.values():
            _verify(ready)
        self._turn_ended = time.monotonic_ns()

    def start_verifying(self) -> None:
        threading.Thread(target=self._verify_forever, name="Versions", daemon=True).start()

    def _verify_forever(self) -> None:
        while True:
            time.sleep(VERIFY_SECONDS)
            try:
                self.verify()
                share_counts()
            except Exception:  # of cache or database: nothing is verified, so Django answers, and logs the error if it is still there
                self._turn_ended = time.monotonic_ns()


def _verify(ready: Ready) -> None:
    asked_at = time.monotonic_ns()
    version = ready.current_version()
    if version == ready.version:
        ready.verified_at = ready.sure_at = asked_at
    elif OUTAGE in version and asked_at - ready.sure_at < OUTAGE_TRUST and ready.verified_at >= distrusted_at():
        ready.verified_at = asked_at


def new_request_id() -> str:
    return f"{random.getrandbits(128):032x}"


def answer_of(result: Any, headers: Headers) -> ReadyAnswer | None:
    """Return what to keep of Django's answer to GET; None if it is not for everybody."""
    ready = getattr(result, "ready", None)
    if ready is None or any(name.lower() == "set-cookie" for name, _value in headers):
        return None
    if ready.answer is None:
        ready.answer = make_answer(ready, headers)
    return ready.answer  # type: ignore[no-any-return]
