"""The language of a page is part of its address: `/de/cart/` is German, `/cart/` is in the first of LANGUAGES.

Neither a cookie nor Accept-Language changes what an address shows, so a page can be kept and sent to everybody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext_noop

REWORDED = (gettext_noop("Enter a valid email address."),)
"""Sentences of libraries whose German is less formal than the shop's: named here, they are in its own catalogue, which comes first."""

EXAMPLE_ID = UUID(int=2**128 - 1)
API_LANGUAGE = "en"
"""Integrators get the same words from every shop."""


class LanguageMiddleware:
    """Activate the address's language before any text is written, and name it in the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        translation.activate(API_LANGUAGE if request.path_info.startswith("/api/") else language_of(request.path_info))
        response = self.get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        return response


@dataclass(frozen=True)
class Twin:
    """The same page in one of the shop's languages."""

    language: str
    name: str
    """Of the language, in itself: `Deutsch`."""
    path: str
    is_current: bool


def language_of(path: str) -> str:
    """Return the language whose prefix the path has, or else the shop's first one."""
    first = "".join(path.split("/", 2)[1:2])
    return first if first in dict(settings.LANGUAGES) and first != settings.LANGUAGE_CODE else settings.LANGUAGE_CODE


def twins(request: HttpRequest) -> list[Twin]:
    """List the page in each of the shop's languages, itself included; nothing if there is only one language."""
    if len(settings.LANGUAGES) < 2:
        return []
    current = language_of(request.path_info)
    bare = request.path_info.removeprefix(_prefix(current)) or "/"
    query = f"?{urlencode(list(request.GET.lists()), doseq=True, errors='replace')}" if request.GET else ""
    return [
        Twin(code, name, escape_leading_slashes(escape_uri_path(_prefix(code) + bare)) + query, code == current)
        for code, name in settings.LANGUAGES
    ]


def path_of(view: str, key: UUID | str, language: str = "") -> str:
    """Return the path of a page of one thing in this language, or in the active one.

    As `reverse` does, whose search takes longer than all the rest of a link. `key` has only letters, digits, hyphens and underscores.
    """
    example = EXAMPLE_ID if isinstance(key, UUID) else EXAMPLE_ID.hex
    before, after = _path_around(view, example, language or translation.get_language() or "", settings.LANGUAGE_CODE)
    return f"{before}{key}{after}"


@cache
def _path_around(view: str, example: UUID | str, language: str, _first_language: str) -> tuple[str, str]:
    with translation.override(language):
        before, after = reverse(view, args=[example]).split(str(example))
    return before, after


def _prefix(language: str) -> str:
    return "" if language == settings.LANGUAGE_CODE else f"/{language}"
