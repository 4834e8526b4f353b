"""A sheet of 100 × 100 units to draw things on, lit from the left, with smooth edges."""

from collections.abc import Sequence
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFilter, ImageOps

Point = tuple[float, float]
Color = tuple[int, int, int]

PIXELS = 800
DRAWN = 2 * PIXELS
"""Drawn larger and shrunk, which makes the edges smooth."""
UNIT = DRAWN / 100
GROUND = 82.0


def color(code: str) -> Color:
    """`#b5653a` as its three parts."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def mixed(one: Color, other: Color, share: float) -> Color:
    """`share` of the other: 0 is the first colour, 1 the second."""
    first, second, third = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return first, second, third


def lighter(base: Color, share: float) -> Color:
    return mixed(base, (255, 255, 255), share)


def darker(base: Color, share: float) -> Color:
    return mixed(base, (24, 16, 12), share)


def curve(points: Sequence[Point], *, closed: bool) -> list[Point]:
    """A smooth line through the points (Catmull-Rom)."""
    count = len(points)
    spans = count if closed else count - 1
    line: list[Point] = []
    for start in range(spans):
        before, here, there, after = (
            points[n % count] if closed else points[min(max(n, 0), count - 1)] for n in range(start - 1, start + 3)
        )
        for step in range(16):
            t = step / 16
            line.append((_between(before[0], here[0], there[0], after[0], t), _between(before[1], here[1], there[1], after[1], t)))
    return line if closed else [*line, points[-1]]


def _between(before: float, here: float, there: float, after: float, t: float) -> float:
    return 0.5 * (
        2 * here
        + (there - before) * t
        + (2 * before - 5 * here + 4 * there - after) * t**2
        + (3 * here - before - 3 * there + after) * t**3
    )


class Sheet:
    def __init__(self, wall: Color) -> None:
        self._image = Image.new("RGB", (DRAWN, DRAWN), wall)
        self._light_the_wall(wall)

    def finished(self) -> Image.Image:
        return self._image.resize((PIXELS, PIXELS), Image.Resampling.LANCZOS)

    def shadow(self, left: float, right: float, y: float = GROUND) -> None:
        """Where the thing stands on the table."""
        small = DRAWN // 8
        mask = Image.new("L", (small, small))
        scale = small / 100
        ImageDraw.Draw(mask).ellipse([left * scale, (y - 2.5) * scale, right * scale, (y + 2.5) * scale], fill=105)
        soft = mask.filter(ImageFilter.GaussianBlur(1.6 * scale)).resize((DRAWN, DRAWN), Image.Resampling.BILINEAR)
        self._image.paste((40, 28, 20), (0, 0), soft)

    def polygon(self, points: Sequence[Point], fill: Color, *, flat: bool = False) -> None:
        mask, draw = self._mask()
        draw.polygon([(x * UNIT, y * UNIT) for x, y in points], fill=255)
        self._lay(mask, fill, flat=flat)

    def shape(self, points: Sequence[Point], fill: Color, *, flat: bool = False) -> None:
        """A closed smooth outline."""
        self.polygon(curve(points, closed=True), fill, flat=flat)

    def turned(self, outline: Sequence[Point], fill: Color, *, middle: float = 50) -> None:
        """What comes off a lathe or a wheel: `outline` is (half width, y) from top to bottom."""
        side = curve(outline, closed=False)
        self.polygon([(middle + half, y) for half, y in side] + [(middle - half, y) for half, y in reversed(side)], fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Color, *, corner: float = 0, flat: bool = False) -> None:
        mask, draw = self._mask()
        draw.rounded_rectangle([left * UNIT, top * UNIT, right * UNIT, bottom * UNIT], radius=corner * UNIT, fill=255)
        self._lay(mask, fill, flat=flat)

    def oval(self, x: float, y: float, wide: float, high: float, fill: Color, *, flat: bool = False) -> None:
        """`wide` and `high` are measured from the middle."""
        mask, draw = self._mask()
        draw.ellipse([(x - wide) * UNIT, (y - high) * UNIT, (x + wide) * UNIT, (y + high) * UNIT], fill=255)
        self._lay(mask, fill, flat=flat)

    def ring(self, x: float, y: float, radius: float, width: float, fill: Color) -> None:
        mask, draw = self._mask()
        box = [(x - radius) * UNIT, (y - radius) * UNIT, (x + radius) * UNIT, (y + radius) * UNIT]
        draw.ellipse(box, outline=255, width=round(width * UNIT))
        self._lay(mask, fill, flat=False)

    def stroke(self, points: Sequence[Point], width: float, fill: Color, *, smooth: bool = True, flat: bool = True) -> None:
        """A line with round ends."""
        mask, draw = self._mask()
        line = [(x * UNIT, y * UNIT) for x, y in (curve(points, closed=False) if smooth else points)]
        half = width * UNIT / 2
        for start, end in pairwise(line):
            draw.line([start, end], fill=255, width=round(width * UNIT))
        for x, y in line:
            draw.ellipse([x - half, y - half, x + half, y + half], fill=255)
        self._lay(mask, fill, flat=flat)

    def _light_the_wall(self, wall: Color) -> None:
        fall = Image.radial_gradient("L").resize((DRAWN, DRAWN), Image.Resampling.BILINEAR)
        self._image = ImageOps.colorize(fall, black=_hex(lighter(wall, 0.28)), white=_hex(darker(wall, 0.1)))
        table = Image.linear_gradient("L").resize((DRAWN, round((100 - GROUND + 9) * UNIT)))
        plain = ImageOps.colorize(table, black=_hex(darker(wall, 0.05)), white=_hex(darker(wall, 0.16)))
        self._image.paste(plain, (0, DRAWN - plain.height))

    def _mask(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        mask = Image.new("L", (DRAWN, DRAWN))
        return mask, ImageDraw.Draw(mask)

    def _lay(self, mask: Image.Image, fill: Color, *, flat: bool) -> None:
        box = mask.getbbox()
        if box is None:
            return
        if flat:
            self._image.paste(fill, box, mask.crop(box))
            return
        light = Image.linear_gradient("L").rotate(90).resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR)
        lit = ImageOps.colorize(light, black=_hex(lighter(fill, 0.2)), mid=_hex(fill), white=_hex(darker(fill, 0.28)), midpoint=110)
        self._image.paste(lit, box, mask.crop(box))


def _hex(value: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*value)
