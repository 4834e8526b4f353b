"""Whether links and buttons in a colour can be read on the shop's backgrounds, and what else follows from that colour."""

import re
from decimal import Decimal
from functools import lru_cache

HEX = re.compile(r"#[0-9a-f]{6}")
LEAST_CONTRAST = Decimal("4.5")
"""WCAG 2.2, 1.4.3 for text."""
LIGHT = ("#ffffff", "#f7f6f2", "#eeece5")
DARK = ("#1a211f", "#111615", "#151b19", "#06231d")
"""The backgrounds of static/css/shop.css in both schemes, and last what is written on a button in the dark one."""


def contrast(first: str, second: str) -> Decimal:
    """Return the ratio that WCAG defines, from 1 to 21, rounded down to tenths so that 4.5 is never less."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return ((light + Decimal("0.05")) / (dark + Decimal("0.05"))).quantize(Decimal("0.1"), rounding="ROUND_DOWN")


def least_contrast(colour: str, backgrounds: tuple[str, ...]) -> Decimal:
    return min(contrast(colour, background) for background in backgrounds)


def mixed(colour: str, other: str, percent: int) -> str:
    """Return the colour with so many percent of the other one."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{(one * (100 - percent) + two * percent) // 100:02x}" for one, two in pairs)


def readable(colour: str, backgrounds: tuple[str, ...], *, towards: str) -> str:
    """Return the colour, or the one nearest to it on the way to black or white that can be read on all the backgrounds."""
    steps = (mixed(colour, towards, percent) for percent in range(101))
    return next(step for step in steps if least_contrast(step, backgrounds) >= LEAST_CONTRAST)


@lru_cache(8)  # every page has it, and to find a tone that can be read takes longer than to make a page
def colour_styles(accent: str, accent_dark: str) -> str:
    """Return the CSS that replaces the shop's own colours of links, buttons and the home page; empty without a colour."""
    if not accent:
        return ""
    dark = accent_dark or readable(accent, DARK, towards="#ffffff")
    hero = f"--hero-from:{mixed(accent, '#000000', 25)};--hero-to:{accent}"
    return (
        f":root{{--brand:{accent};--brand-strong:{mixed(accent, '#000000', 30)};{hero}}}"
        f"@media(prefers-color-scheme:dark){{:root{{--brand:{dark};--brand-strong:{mixed(dark, '#ffffff', 35)};{hero}}}}}"
    )


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> Decimal:
    red, green, blue = (_linear(Decimal(channel) / 255) for channel in _channels(colour))
    return Decimal("0.2126") * red + Decimal("0.7152") * green + Decimal("0.0722") * blue


def _linear(channel: Decimal) -> Decimal:
    if channel <= Decimal("0.04045"):
        return channel / Decimal("12.92")
    return ((channel + Decimal("0.055")) / Decimal("1.055")) ** Decimal("2.4")
