"""Render the mails that are sent most often without running their templates each time.

A template that only inserts texts makes the same words for everybody. So it is rendered once for each language and shape of its values,
with marks in the places of the texts, and each mail fills these places.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

MARK = "\ue000"
"""A character for private use, which no template has and escaping leaves as it is."""
PLACE = re.compile(f"{MARK}([0-9]+){MARK}")

Shape = bool | tuple[Any, ...]
"""What a template sees of its values besides their texts: whether a text is empty, the names of a dict, the number of rows."""


def render_kept(templates: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Render each template with these texts, or dicts and lists of texts.

    It may insert them, repeat for each row, and ask whether a text is empty; a filter or a comparison would see the mark instead.
    """
    texts: list[str] = []
    shape, language = _shape_of(values, texts), translation.get_language()
    return [
        _filled(*_pieces(template, language, shape), [html.escape(text) for text in texts] if template.endswith(".html") else texts)
        for template in templates
    ]


def _filled(pieces: Sequence[str], numbers: Sequence[int], texts: Sequence[str]) -> str:
    filled = list(pieces)
    filled[1::2] = [texts[number] for number in numbers]
    return "".join(filled)


def _shape_of(values: Any, texts: list[str]) -> Shape:
    """Return the shape, and append the texts that are not empty in the order in which `_marked` numbers them."""
    if isinstance(values, str):
        if values:
            texts.append(values)
        return bool(values)
    if isinstance(values, dict):
        return ("dict", *[(name, _shape_of(value, texts)) for name, value in values.items()])
    if isinstance(values, list):
        return ("list", *[_shape_of(value, texts) for value in values])
    raise TypeError(f"A kept template takes texts only, not {values!r}.")


@lru_cache(512)
def _pieces(template: str, _language: str, shape: Shape) -> tuple[list[str], list[int]]:
    """Return the words with a place after each but the last, and the number of the text in each place."""
    pieces = PLACE.split(render_to_string(template, _marked(shape, iter(range(10**6)))))
    return pieces, [int(number) for number in pieces[1::2]]


def _marked(shape: Any, numbers: Iterator[int]) -> Any:
    if isinstance(shape, bool):
        return f"{MARK}{next(numbers)}{MARK}" if shape else ""
    kind, *parts = shape
    if kind == "dict":
        return {name: _marked(part, numbers) for name, part in parts}
    return [_marked(part, numbers) for part in parts]
