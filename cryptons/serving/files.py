"""Files that the server sends without Django: the collected static files, and pictures that Django has allowed once."""

import json
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.utils.http import http_date
from whitenoise.media_types import MediaTypes

from cryptons.middleware import security_headers
from cryptons.response_cache import ENCODINGS, matches
from cryptons.serving.ready_answers import accepts
from cryptons.serving.wsgi_call import Exchange, Headers

FOREVER = "max-age=315360000, public, immutable"
"""For a file whose name has a hash of its content."""
SHORT = "max-age=60, public"
SUFFIXES = {"gzip": ".gz", "br": ".br"}
MAX_PICTURES = 5_000
PICTURE_SECONDS = 60
"""How long a picture is sent without asking whether it is still there."""
TEXT = frozenset({"application/javascript", "application/json", "image/svg+xml"})
"""Types, besides those that begin with text/, whose charset is said."""
ABOUT_THE_BODY = frozenset({"content-type", "content-length", "content-encoding"})


@dataclass(frozen=True, slots=True)
class FileForm:
    path: str
    headers: Headers


@dataclass(frozen=True, slots=True)
class SentFile:
    forms: Mapping[str, FileForm]
    """By encoding; the empty one is the file as it is."""
    etag: str
    last_modified: str
    until: float = float("inf")
    """Seconds of the monotonic clock."""

    def send(self, exchange: Exchange, method: str, headers: Mapping[str, str]) -> None:
        form = self._choose(headers.get("accept-encoding", ""))
        if self._is_known(headers):
            kept = [(name, value) for name, value in form.headers if name.lower() not in ABOUT_THE_BODY]
            exchange.response_empty(304, kept)
        elif method == "HEAD":
            exchange.response_empty(200, form.headers)
        else:
            exchange.response_file(200, form.headers, form.path)

    def _choose(self, accepted: str) -> FileForm:
        for encoding in ENCODINGS if accepted else ():
            if encoding in self.forms and accepts(accepted, encoding):
                return self.forms[encoding]
        return self.forms[""]

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        if none_match := headers.get("if-none-match"):
            return bool(self.etag) and matches((self.etag,), none_match)
        return bool(self.last_modified) and headers.get("if-modified-since") == self.last_modified


def read_static_files(root: Path, url: str) -> dict[str, SentFile]:
    """Return the collected files by their paths in addresses. Nothing else in the folder or above it can be asked for."""
    if not root.is_dir():
        return {}
    types = MediaTypes()
    manifest = root / "staticfiles.json"
    hashed = set(json.loads(manifest.read_text())["paths"].values()) if manifest.is_file() else set()
    names = {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    found = {}
    for name in names - {"staticfiles.json"}:
        if not (name.endswith((".gz", ".br")) and name[:-3] in names):
            forms = {"": name} | {encoding: name + suffix for encoding, suffix in SUFFIXES.items() if name + suffix in names}
            found[url + name] = _static_file(root, forms, types.get_type(name), FOREVER if name in hashed else SHORT)
    return found


def _static_file(root: Path, names: Mapping[str, str], content_type: str, caching: str) -> SentFile:
    status = (root / names[""]).stat()
    etag, modified = f'"{status.st_mtime_ns:x}-{status.st_size:x}"', http_date(status.st_mtime)
    if content_type.startswith("text/") or content_type in TEXT:
        content_type = f"{content_type}; charset=utf-8"
    common = [
        ("Server", ""),
        ("Content-Type", content_type),
        ("Last-Modified", modified),
        ("ETag", etag),
        ("Access-Control-Allow-Origin", "*"),
        *(security_headers() | {"Cache-Control": caching}).items(),
        *([("Vary", "Accept-Encoding")] if len(names) > 1 else []),
    ]
    forms = {}
    for encoding, name in names.items():
        own = [("Content-Length", str((root / name).stat().st_size)), *([("Content-Encoding", encoding)] if encoding else [])]
        forms[encoding] = FileForm(str(root / name), common + own)
    return SentFile(forms, etag, modified)


class Pictures:
    """Pictures by their paths in addresses, as Django answered them: public, and never changed under their names."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, SentFile] = OrderedDict()

    def find(self, path: str) -> SentFile | None:
        picture = self._kept.get(path)
        if picture is None or picture.until < time.monotonic():
            return None
        return picture

    def keep(self, path: str, file: str, headers: Headers) -> None:
        """Keep the answer if it says that everybody may have the file, and that it never changes."""
        values = {name.lower(): value for name, value in headers}
        if not {"public", "immutable"} <= {word.strip() for word in values.get("cache-control", "").split(",")} or "set-cookie" in values:
            return
        kept = [(name, value) for name, value in headers if name.lower() != "x-request-id"]
        until = time.monotonic() + PICTURE_SECONDS
        self._kept.pop(path, None)
        self._kept[path] = SentFile({"": FileForm(os.fspath(file), kept)}, "", values.get("last-modified", ""), until)
        if len(self._kept) > MAX_PICTURES:
            self._kept.popitem(last=False)
