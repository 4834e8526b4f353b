"""What people may write where others read it in a mail or on a label: one line of text, without links."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters (line breaks among them), halves of surrogate pairs, separators of lines and paragraphs."""
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the direction of the text after them. Joiners, which languages and emojis need, are of the same category and allowed."""
LINK = re.compile(r"://|www\.", re.IGNORECASE)


def text_problem(text: str) -> str:
    """Return what is wrong with the text as a sentence; empty if it can be used."""
    if text.isascii() and text.isprintable():
        plain = text
    elif any(letter in TURNS or unicodedata.category(letter) in CONTROLS for letter in text):
        return _("Must be one line of text, without control characters.")
    else:
        plain = unicodedata.normalize("NFKC", text)
    if LINK.search(plain):
        return _("Must not contain a link.")
    return ""


def validate_plain_text(text: str) -> None:
    """Raise ValidationError for text that `text_problem` finds a problem with; for fields of models and forms."""
    if problem := text_problem(text):
        raise ValidationError(problem)
