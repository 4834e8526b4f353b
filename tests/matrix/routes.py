"""The routes that the program has, read from its own configuration, so that none is forgotten."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

API = "api/"


def walk(patterns: Any = None, address: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield address, name with its namespace, and view of each route."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = address + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, here, f"{name}{pattern.namespace}:" if pattern.namespace else name)
        elif isinstance(pattern, URLPattern):
            yield here, f"{name}{pattern.name or here}", pattern.callback


def operations() -> set[str]:
    """Return method and address of everything that the API does, without the last route, which is for all other addresses."""
    return {
        f"{method.upper()} /{address}"
        for address, _name, view in walk()
        if address.startswith(API) and not address.startswith(f"{API}v1/") and not address.endswith("$")
        for method in _methods(view)
    }


def _methods(view: Any) -> list[str]:
    if not (made_of := getattr(view, "cls", None) or getattr(view, "view_class", None)):
        return ["get"]
    return [method for method in ("get", "post", "put", "patch", "delete") if hasattr(made_of, method)]


def pages() -> set[str]:
    """Return the names of all pages outside of the API."""
    return {name for address, name, _view in walk() if not address.startswith(API)}
