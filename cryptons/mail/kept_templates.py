"""Render the mails that are sent most often without running their templates each time.

A template that only inserts texts makes the same words for everybody. So it is rendered once for each language and shape of its values,
with marks in the places of the texts, and each mail fills these places.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape

MARK = "\ue000"
"""A character for private use, which no template has and escaping leaves as it is."""
PLACE = re.compile(f"{MARK}([0-9]+){MARK}")

Shape = bool | tuple[Any, ...]
"""What a template sees of its values besides their texts: whether a text is empty, the names of a mapping, the number of rows."""


def render_kept(template: str, values: Mapping[str, Any]) -> str:
    """Render the template with these texts, or mappings and sequences of texts.

    It may insert them, repeat for each row, and ask whether a text is empty; a filter or a comparison would see the mark instead.
    """
    texts: list[str] = []
    shape = _shape_of(values, texts)
    pieces = iter(_pieces(template, translation.get_language(), shape))
    written = [escape(text) for text in texts] if template.endswith(".html") else texts
    return next(pieces) + "".join(written[int(number)] + words for number, words in zip(pieces, pieces, strict=True))


def _shape_of(values: Any, texts: list[str]) -> Shape:
    """Return the shape, and append the texts that are not empty in the order in which `_marked` numbers them."""
    if isinstance(values, str):
        if values:
            texts.append(values)
        return bool(values)
    if isinstance(values, Mapping):
        return ("mapping", *((name, _shape_of(value, texts)) for name, value in values.items()))
    if isinstance(values, Sequence):
        return ("sequence", *(_shape_of(value, texts) for value in values))
    raise TypeError(f"A kept template takes texts only, not {values!r}.")


@lru_cache(512)
def _pieces(template: str, _language: str, shape: Shape) -> list[str]:
    """Return the words before the first place, then alternately the number of a text and the words behind it."""
    numbers = iter(range(10**6))
    return PLACE.split(render_to_string(template, _marked(shape, numbers)))


def _marked(shape: Any, numbers: Iterator[int]) -> Any:
    if isinstance(shape, bool):
        return f"{MARK}{next(numbers)}{MARK}" if shape else ""
    kind, *parts = shape
    if kind == "mapping":
        return {name: _marked(part, numbers) for name, part in parts}
    return [_marked(part, numbers) for part in parts]
