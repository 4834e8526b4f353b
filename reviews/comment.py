"""What a review may contain: plain text of several lines."""

import unicodedata

from django.utils.translation import gettext as _

from accounts.plain_text import CONTROLS, TURNS

LINES = "\n\r\t"


def comment_problem(text: str) -> str:
    """Return what is wrong with the text as a sentence; empty if it can be used."""
    if any(letter in TURNS or (unicodedata.category(letter) in CONTROLS and letter not in LINES) for letter in text):
        return _("Must be plain text, without control characters.")
    return ""
