"""Draw QR codes for pages."""

import segno
from django.utils.safestring import SafeString, mark_safe

LONG = 150
"""A longer text gets less error correction, so that its dots stay large enough for a phone's camera."""


def qr_svg(text: str) -> SafeString:
    """Draw the code dark on white in any colour scheme, with the four modules of quiet zone that scanners need."""
    svg = segno.make_qr(text, error="l" if len(text) > LONG else "m").svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="pay__qr", lineclass=None
    )
    return mark_safe(svg)  # noqa: S308 (segno's own drawing; the text is only in its dots)
