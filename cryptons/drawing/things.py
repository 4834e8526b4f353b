"""How each thing looks: one function a thing, on a sheet of 100 × 100 units."""

import math
from collections.abc import Callable

from PIL import Image

from cryptons.drawing.sheet import GROUND, Color, Point, Sheet, color, darker, lighter, mixed

WHITE = (250, 247, 240)
STEEL = (190, 196, 203)
DARK = (44, 40, 38)
FLAME = (250, 190, 70)
GREEN = (92, 168, 104)

Picture = Callable[[Sheet, Color, Color], None]


def draw(thing: str, wall: str, main: str, accent: str) -> Image.Image:
    """The thing with this function's name, in colours such as `#b8663a`."""
    sheet = Sheet(color(wall))
    picture: Picture = globals()[thing]
    picture(sheet, color(main), color(accent))
    return sheet.finished()


def around(x: float, y: float, radius: float, angle: float) -> Point:
    """A point on a circle; the angle in degrees, 0 at the right and 90 at the top."""
    return x + radius * math.cos(math.radians(angle)), y - radius * math.sin(math.radians(angle))


# --- Kitchen --------------------------------------------------------------------------------------------------------------------


def kettle(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(22, 78)
    sheet.stroke([(35, 46), (34, 26), (50, 17), (66, 26), (65, 46)], 3, darker(main, 0.25))
    sheet.stroke([(40, 20.2), (50, 17), (60, 20.2)], 5.5, accent)
    sheet.polygon([(68, 62), (72, 52), (84, 38), (88, 40), (80, 58), (70, 76)], darker(main, 0.15))
    sheet.turned([(9, 43), (20, 46), (27, 56), (29, 68), (27, 78), (24, GROUND)], main)
    sheet.turned([(3, 39.5), (8, 41), (12, 43.5), (12.5, 45.5)], lighter(main, 0.12))
    sheet.oval(50, 37.5, 3.2, 3.2, accent)
    sheet.shape([(31, 56), (34, 53), (35.5, 56), (33.5, 70), (30.5, 70)], lighter(main, 0.45), flat=True)


def mug(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(26, 74)
    sheet.stroke([(64, 48), (77, 47), (80, 57), (75, 68), (63, 71)], 5, darker(main, 0.15))
    sheet.turned([(19, 39), (19.4, 45), (19, 65), (17.5, 76), (15.5, GROUND)], main)
    sheet.turned([(19, 38), (19.6, 42), (19.4, 47)], accent)
    sheet.oval(50, 38.2, 19, 3.2, lighter(accent, 0.3), flat=True)
    sheet.oval(50, 38.8, 17, 2.4, (84, 54, 38), flat=True)
    for x, bend in ((42, 2), (50, -2), (58, 2)):
        sheet.stroke([(x, 32), (x + bend, 28), (x - bend, 23), (x, 18)], 1, WHITE)


def teapot(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(24, 78)
    sheet.stroke([(28, 47), (14, 44), (11, 56), (17, 67), (29, 70)], 4, darker(main, 0.12))
    sheet.polygon([(70, 72), (74, 58), (82, 44), (90, 41), (91, 44), (86, 50), (80, 64), (72, 77)], darker(main, 0.1))
    sheet.turned([(10, 42), (19, 45), (25, 53), (26.5, 63), (24, 74), (17, 80), (14, GROUND)], main)
    sheet.turned([(4, 37), (11, 39), (14, 42.5), (14, 44)], lighter(main, 0.3))
    sheet.oval(50, 34.8, 3.4, 3.2, accent)
    sheet.stroke([(24.6, 58), (37, 62), (50, 63), (63, 62), (75.4, 58)], 1.4, accent)
    for x in (34, 42, 50, 58, 66):
        sheet.oval(x, 67.5 - abs(x - 50) / 9, 1.3, 1.3, accent, flat=True)


def grinder(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(27, 73)
    sheet.stroke([(50, 26), (50, 18), (76, 15)], 2, accent, smooth=False, flat=False)
    sheet.oval(77, 13, 4, 4, darker(main, 0.2))
    sheet.turned([(4, 26), (12, 29), (17, 36), (18, 43)], accent)
    sheet.box(31, 42, 69, 79, main, corner=1.5)
    sheet.box(28, 41, 72, 45.5, darker(main, 0.1), corner=1)
    sheet.box(28, 77, 72, GROUND, darker(main, 0.15), corner=1)
    sheet.box(37, 56, 63, 73, darker(main, 0.18), corner=1)
    sheet.oval(50, 64.5, 2.4, 2.4, accent)


def dripper(sheet: Sheet, main: Color, accent: Color) -> None:
    glass = (205, 220, 222)
    sheet.shadow(29, 71)
    sheet.stroke([(66, 57), (77, 57), (77, 72), (67, 76)], 2.6, darker(glass, 0.15))
    sheet.turned([(11, 50), (13, 55), (20, 66), (21.5, 75), (19, GROUND)], glass)
    sheet.turned([(17.5, 63.5), (20.6, 70), (20.6, 76), (18, 80.5)], accent)
    sheet.box(34, 47.5, 66, 50.5, darker(main, 0.12), corner=1.2)
    sheet.stroke([(64, 29), (76, 28), (74, 38), (62, 41)], 2.8, darker(main, 0.15))
    sheet.polygon([(29, 24), (71, 24), (56, 48), (44, 48)], main)
    sheet.box(27.5, 22.5, 72.5, 25.5, lighter(main, 0.3), corner=1.3)
    for top, bottom in ((38, 46), (46, 49), (54, 52), (62, 54.5)):
        sheet.stroke([(top, 28), (bottom, 45)], 0.7, darker(main, 0.18), smooth=False)


def skillet(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.stroke([(60, 40), (86, 14)], 7, accent, smooth=False, flat=False)
    sheet.oval(84.5, 15.5, 1.7, 1.7, (232, 226, 218), flat=True)
    sheet.shadow(14, 74, 80)
    sheet.oval(44, 55, 31, 28, main)
    sheet.oval(44, 54.5, 27.5, 24.6, darker(main, 0.35))
    sheet.oval(44, 56, 24.5, 21.8, mixed(main, (96, 98, 104), 0.25))
    sheet.shape([(46, 44), (58, 46), (63, 56), (56, 66), (42, 68), (31, 62), (30, 52), (37, 45)], WHITE, flat=True)
    sheet.oval(46, 56, 7.5, 7, (244, 178, 52))
    sheet.oval(44, 53.6, 2, 1.5, (252, 220, 140), flat=True)


def pot(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(20, 80)
    for left in (15, 77):
        sheet.box(left, 51, left + 8, 57, darker(main, 0.25), corner=2.4)
    sheet.box(21, 44, 79, GROUND, main, corner=7)
    sheet.box(21, 44, 79, 54, main, corner=1)
    sheet.polygon([(19, 45), (23, 39), (50, 33), (77, 39), (81, 45)], lighter(main, 0.06))
    sheet.box(18.5, 42.5, 81.5, 46.5, darker(main, 0.12), corner=2)
    sheet.turned([(6, 26.5), (6.5, 29), (2.6, 31), (3, 35)], accent)
    sheet.box(27, 51, 30, 72, lighter(main, 0.4), corner=1.5, flat=True)


def knife(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(16, 86, 71)
    sheet.polygon([(12, 46), (30, 42), (61, 41), (61, 62), (46, 62), (28, 57)], main)
    sheet.polygon([(12, 46), (28, 55.4), (46, 60), (61, 60), (61, 62), (46, 62), (28, 57)], lighter(main, 0.55), flat=True)
    sheet.box(59.5, 41, 63, 55, darker(main, 0.3))
    sheet.shape([(63, 41.5), (72, 41.5), (84, 44), (90, 47), (89, 54), (83, 53), (74, 52), (63, 53)], accent)
    for x in (69, 76, 83):
        sheet.oval(x, 47.3, 1.2, 1.2, (214, 178, 110), flat=True)


def board(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(24, 78)
    sheet.box(27, 28, 73, GROUND, main, corner=5)
    sheet.box(43, 13, 57, 34, main, corner=6)
    sheet.oval(50, 20, 2.6, 2.6, (222, 230, 224), flat=True)
    sheet.box(31, 34, 69, 78, accent, corner=3)
    sheet.box(32.3, 35.3, 67.7, 76.7, lighter(main, 0.06), corner=2.4)
    for x, bend in ((38, 1.5), (45, -1), (52, 1.2), (59, -1.4), (64, 0.8)):
        sheet.stroke([(x, 39), (x + bend, 50), (x - bend, 62), (x, 73)], 0.5, accent)


def bowl(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(27, 73)
    sheet.box(39, 76, 61, GROUND, darker(main, 0.3), corner=1.5)
    sheet.turned([(32, 45), (31, 54), (25, 66), (15, 76), (11, 78.5)], main)
    sheet.oval(50, 45, 32, 6.5, accent)
    sheet.oval(50, 45.7, 29.5, 5.2, darker(accent, 0.12))
    for x, y, berry in (
        (36, 44, (72, 80, 140)),
        (44, 46.5, (196, 60, 64)),
        (53, 44, (72, 80, 140)),
        (60, 46, (196, 60, 64)),
        (49, 42.5, (230, 180, 90)),
    ):
        sheet.oval(x, y, 3.2, 3, berry)


def carafe(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(30, 70)
    sheet.turned([(8, 27), (5.5, 36), (7, 44), (16, 57), (19.5, 69), (17, GROUND)], lighter(main, 0.35))
    sheet.turned([(12, 54), (17, 60), (18.6, 69), (16.4, 80.8)], main)
    sheet.oval(50, 54, 12, 1.8, lighter(main, 0.5), flat=True)
    sheet.oval(50, 21, 7.5, 7.5, accent)
    for x, y in ((46, 18), (52, 24), (54, 17), (48, 23)):
        sheet.oval(x, y, 0.7, 0.5, darker(accent, 0.35), flat=True)
    sheet.shape([(36.5, 64), (39, 60), (40, 63), (37.4, 76), (35.6, 74)], WHITE, flat=True)


# --- Home -----------------------------------------------------------------------------------------------------------------------


def lamp(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(22, 62)
    sheet.polygon([(66, 43), (86, 34), (98, GROUND), (52, GROUND)], (250, 240, 205), flat=True)
    sheet.stroke([(42, 78), (30, 50), (58, 24)], 2.6, darker(main, 0.2), smooth=False)
    sheet.oval(30, 50, 3, 3, accent)
    sheet.turned([(6, 76), (15, 78), (18, GROUND)], main, middle=42)
    sheet.polygon([(54, 21), (63, 17), (88, 34), (64, 46)], main)
    sheet.shape([(64, 46), (75, 38), (88, 33.6), (77, 43)], (252, 226, 150), flat=True)
    sheet.oval(58, 22, 4.2, 4.2, accent)


def pendant(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.box(49.4, 0, 50.6, 30, accent, flat=True)
    sheet.polygon([(28, 62), (72, 62), (92, 100), (8, 100)], (250, 240, 210), flat=True)
    sheet.box(46, 25, 54, 34, accent, corner=1.5)
    sheet.turned([(5, 32), (20, 37), (29, 48), (31.5, 61)], main)
    sheet.oval(50, 61, 31.5, 5, darker(main, 0.35))
    sheet.oval(50, 61.6, 28, 3.9, (255, 236, 176), flat=True)
    sheet.oval(50, 62.5, 7, 5, (255, 248, 224), flat=True)


def candle(sheet: Sheet, main: Color, accent: Color) -> None:
    brass = (196, 152, 74)
    sheet.shadow(22, 78)
    sheet.stroke([(70, 75), (81, 72), (82, 79), (73, 80)], 2, darker(brass, 0.2))
    sheet.oval(50, 78, 28, 4.4, brass)
    sheet.oval(50, 77.2, 23, 3, darker(brass, 0.25))
    sheet.box(38, 40, 62, 78, main, corner=2)
    sheet.oval(50, 40.8, 12, 2.6, lighter(main, 0.4), flat=True)
    sheet.shape([(60, 41), (62, 42), (62.4, 52), (61, 56), (59.4, 52)], lighter(main, 0.3), flat=True)
    sheet.stroke([(50, 41), (50.4, 36)], 0.9, DARK, smooth=False)
    sheet.shape([(50, 17), (54.5, 26), (55, 33), (50, 38), (45, 33), (46, 26)], FLAME, flat=True)
    sheet.shape([(50.2, 25), (52.6, 31), (50.2, 37), (47.8, 31)], (255, 246, 214), flat=True)


def blanket(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(16, 84)
    for fold, top in enumerate((66, 52, 38)):
        cloth = lighter(main, 0.07 * fold)
        sheet.box(18 + fold, top, 82 - fold, top + 16, cloth, corner=7)
        sheet.box(18 + fold, top + 4, 82 - fold, top + 7, accent)
        sheet.box(18 + fold, top + 9, 82 - fold, top + 10.4, accent)
    for n in range(14):
        x = 22 + n * 4.3
        sheet.stroke([(x, 79.5), (x + (n % 3 - 1) * 0.7, 85)], 0.9, accent, smooth=False)


def cushion(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(20, 80)
    sheet.shape(
        [
            (19, 27),
            (34, 29),
            (50, 28),
            (66, 29),
            (81, 27),
            (80, 42),
            (82, 55),
            (80, 67),
            (82, 82),
            (66, 80),
            (50, 82),
            (34, 80),
            (18, 82),
            (20, 67),
            (18, 55),
            (20, 42),
        ],
        main,
    )
    sheet.shape([(24, 32), (50, 33), (76, 32), (76, 55), (77, 77), (50, 77), (23, 77), (24, 55)], lighter(main, 0.08))
    sheet.stroke([(30, 40), (40, 49), (47, 54)], 0.8, accent)
    sheet.stroke([(70, 40), (60, 49), (53, 54)], 0.8, accent)
    sheet.stroke([(32, 70), (41, 61), (47, 57)], 0.8, accent)
    sheet.stroke([(68, 70), (59, 61), (53, 57)], 0.8, accent)
    sheet.oval(50, 55, 3, 2.7, accent)


def stool(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(22, 78)
    sheet.polygon([(48, 40), (52, 40), (53, 76), (47.5, 76)], darker(accent, 0.25))
    sheet.polygon([(32, 40), (37, 40), (29, GROUND), (24, GROUND)], accent)
    sheet.polygon([(63, 40), (68, 40), (76, GROUND), (71, GROUND)], accent)
    sheet.box(29.5, 62, 70.5, 64.6, darker(accent, 0.1), corner=1.2)
    sheet.box(23, 35, 77, 43, darker(main, 0.12), corner=4)
    sheet.oval(50, 36, 27, 5, lighter(main, 0.12))
    sheet.oval(50, 36, 17, 2.9, mixed(main, accent, 0.2))
    sheet.oval(50, 36, 15.6, 2.5, lighter(main, 0.12))


def clock(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.oval(51.5, 52.5, 34, 34, (170, 156, 148), flat=True)
    sheet.oval(50, 50, 34, 34, accent)
    sheet.oval(50, 50, 30.5, 30.5, main)
    for hour in range(12):
        sheet.stroke(
            [around(50, 50, 24 if hour % 3 == 0 else 26, hour * 30), around(50, 50, 28, hour * 30)],
            1.5 if hour % 3 == 0 else 0.8,
            accent,
            smooth=False,
        )
    sheet.stroke([(50, 50), around(50, 50, 14, 145)], 2.4, accent, smooth=False)
    sheet.stroke([(50, 50), around(50, 50, 22, 30)], 1.6, accent, smooth=False)
    sheet.stroke([around(50, 50, 6, 84), around(50, 50, 24, 264)], 0.6, (200, 70, 50), smooth=False)
    sheet.oval(50, 50, 2, 2, (200, 70, 50))


def plant(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(30, 70)
    leaves = ((42, 24, 20), (58, 66, 18), (50, 46, 12), (46, 33, 34), (55, 59, 30), (38, 20, 42), (62, 78, 40))
    for n, (foot, tip, top) in enumerate(leaves):
        middle = (foot + tip) / 2 + (tip - foot) * 0.05
        half = (top + 62) / 2
        green = mixed(main, (190, 210, 120), 0.08 * (n % 4))
        sheet.shape([(tip, top), (middle + 4, half), (foot + 2.6, 63), (foot - 2.6, 63), (middle - 4, half)], green)
        sheet.stroke([(tip, top + 4), (middle, half), (foot, 61)], 0.7, lighter(green, 0.35))
    sheet.polygon([(32, 60), (68, 60), (63, 79), (37, 79)], accent)
    sheet.box(30, 57, 70, 63.5, lighter(accent, 0.1), corner=1.2)
    sheet.box(33, 79, 67, GROUND, darker(accent, 0.1), corner=1.2)


# --- Desk -----------------------------------------------------------------------------------------------------------------------


def notebook(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(26, 80)
    sheet.box(30, 19, 76, 80, darker(main, 0.3), corner=2)
    sheet.box(29, 20, 74.5, 80.6, WHITE, corner=1.5)
    sheet.box(26, 18, 73, 79.5, main, corner=2.4)
    sheet.box(26, 18, 32, 79.5, darker(main, 0.18), corner=2.4)
    sheet.box(66.5, 18, 68.3, 79.5, darker(main, 0.4), flat=True)
    sheet.polygon([(44, 79.5), (47.5, 79.5), (47.5, 91), (45.7, 88.4), (44, 91)], accent, flat=True)
    sheet.box(39, 30, 60, 41, lighter(main, 0.75), corner=1, flat=True)
    for y in (33.6, 37.2):
        sheet.box(42, y, 57, y + 0.8, main, flat=True)


def pen(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(18, 88, 78)
    sheet.stroke([(40, 62), (82, 20)], 9, main, smooth=False, flat=False)
    sheet.stroke([(62, 40), (63, 39)], 9.6, darker(main, 0.25), smooth=False)
    sheet.stroke([(36, 66), (41, 61)], 7, accent, smooth=False, flat=False)
    sheet.polygon([(31, 66.5), (36.5, 72), (20, 82)], STEEL)
    sheet.stroke([(21.5, 80.8), (32, 70.6)], 0.5, DARK, smooth=False)
    sheet.stroke([(70, 24), (87, 22), (70, 40)], 1.6, lighter(main, 0.35), smooth=False)
    sheet.stroke([(44, 55), (60, 39)], 1, lighter(main, 0.55), smooth=False)
    sheet.stroke([(20, 82), (14, 86), (22, 89), (34, 87), (46, 90)], 0.9, (52, 66, 110))


def pencils(sheet: Sheet, main: Color, accent: Color) -> None:
    wood = (226, 190, 142)
    sheet.shadow(30, 70)
    leads = (main, (190, 72, 60), (74, 112, 150), (84, 134, 92), main, (120, 84, 140))
    for n, (paint, lean) in enumerate(zip(leads, (-13, -8, -3, 3, 8, 13), strict=True)):
        x, top = 37 + n * 5.2, 19 + (n * 7) % 12
        sheet.polygon([(x - 2 + lean, top + 9), (x + 2 + lean, top + 9), (x + 2, 70), (x - 2, 70)], paint)
        sheet.polygon([(x - 2 + lean, top + 9), (x + lean * 1.15, top), (x + 2 + lean, top + 9)], wood)
        sheet.polygon([(x - 0.7 + lean * 1.1, top + 3), (x + lean * 1.15, top), (x + 0.7 + lean * 1.1, top + 3)], DARK, flat=True)
    sheet.box(31, 46, 69, GROUND, accent, corner=1.6)
    sheet.box(30, 45, 70, 48.4, lighter(accent, 0.25), corner=1.4)
    sheet.box(31, 60, 69, 70, WHITE)
    sheet.box(38, 63.6, 62, 66, main, corner=1, flat=True)


def keyboard(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(10, 90, 74)
    sheet.polygon([(14, 36), (86, 36), (92, 70), (8, 70)], darker(main, 0.35))
    sheet.polygon([(14, 34), (86, 34), (92, 67), (8, 67)], mixed(main, (120, 124, 134), 0.3))
    for row in range(5):
        top, left, right = 36.5 + row * 6, 15 - row * 1.05, 85 + row * 1.05
        widths = (6, 3, 6) if row == 4 else (1,) * (13 - row % 2)
        step, x = (right - left) / sum(widths), left
        for n, width in enumerate(widths):
            cap = accent if (row, n) in ((0, 0), (2, 11)) else darker(main, 0.12) if n in (0, len(widths) - 1) else main
            sheet.box(x + 0.5, top, x + step * width - 0.5, top + 4.9, darker(cap, 0.25), corner=0.9)
            sheet.box(x + 0.9, top, x + step * width - 0.9, top + 4, lighter(cap, 0.12), corner=0.8)
            x += step * width


def headphones(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(20, 80)
    sheet.stroke([(26, 60), (25, 38), (36, 22), (50, 18), (64, 22), (75, 38), (74, 60)], 5, main)
    sheet.stroke([(33, 27), (42, 21.4), (50, 20), (58, 21.4), (67, 27)], 7.4, lighter(main, 0.12))
    for side in (-1, 1):
        sheet.oval(50 + side * 19.5, 64, 6.4, 15, (98, 88, 84))
        sheet.oval(50 + side * 25.5, 64, 8.4, 16.5, main)
        sheet.ring(50 + side * 26, 64, 7, 1.5, accent)
    sheet.stroke([(25, 80), (24, 88), (38, 91), (52, 88)], 1.2, main)


def radio(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(14, 86)
    sheet.stroke([(74, 36), (84, 12)], 1, STEEL, smooth=False)
    for x in (22, 72):
        sheet.box(x, 77, x + 6, GROUND, DARK, corner=1)
    sheet.box(13, 35, 87, 79, main, corner=6)
    sheet.box(17, 39, 83, 75, accent, corner=3)
    for row in range(7):
        for column in range(7):
            if math.hypot(row - 3, column - 3) < 3.7:
                sheet.oval(25.5 + column * 4, 45 + row * 4, 1.2, 1.2, darker(main, 0.35), flat=True)
    sheet.box(57, 43, 79, 52, darker(accent, 0.7), corner=1)
    sheet.stroke([(66, 44.5), (66, 50.5)], 0.8, (226, 90, 60), smooth=False)
    for x in (62, 74):
        sheet.oval(x, 63.5, 5, 5, darker(main, 0.2))
        sheet.stroke([(x, 63.5), around(x, 63.5, 4, 60)], 0.8, accent, smooth=False)


# --- Outdoors -------------------------------------------------------------------------------------------------------------------


def tent(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.polygon([(0, 73), (20, 60), (42, 68), (66, 57), (100, 71), (100, 100), (0, 100)], mixed(GREEN, (220, 232, 220), 0.55), flat=True)
    sheet.shadow(8, 92, 80)
    sheet.polygon([(50, 27), (88, 80), (12, 80)], main)
    sheet.polygon([(50, 27), (64, 27), (95, 76), (88, 80)], darker(main, 0.25))
    sheet.polygon([(50, 38), (63, 80), (37, 80)], darker(accent, 0.45), flat=True)
    sheet.polygon([(50, 38), (42, 60), (29, 80), (37, 80)], lighter(main, 0.3))
    for start, end in (((49, 27), (6, 82)), ((64, 27), (99, 79))):
        sheet.stroke([start, end], 0.4, WHITE, smooth=False)
    sheet.stroke([(50, 27), (50, 23)], 1, DARK, smooth=False)
    sheet.oval(82, 20, 7, 7, (250, 218, 130), flat=True)


def flask(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(34, 66)
    sheet.box(38, 16, 62, 34, accent, corner=3)
    sheet.box(37, 31, 63, 35, darker(accent, 0.2), corner=1)
    sheet.turned([(11.5, 35), (15, 40), (15.5, 46), (15.5, 78), (14, GROUND)], main)
    sheet.box(34.5, 74, 65.5, 77, accent)
    sheet.box(38, 44, 40.6, 70, lighter(main, 0.45), corner=1.3, flat=True)
    sheet.polygon([(46, 64), (51, 54), (54.4, 59.6), (56, 57.4), (60, 64)], WHITE, flat=True)


def lantern(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(30, 70)
    sheet.stroke([(33, 40), (31, 18), (50, 10), (69, 18), (67, 40)], 1.4, STEEL)
    sheet.stroke([(34, 70), (31, 50), (36, 32)], 2.6, main)
    sheet.stroke([(66, 70), (69, 50), (64, 32)], 2.6, main)
    sheet.turned([(4, 22), (6, 26), (13, 30), (14, 34)], main)
    sheet.turned([(10, 34), (14.5, 44), (15, 52), (11, 64)], (240, 236, 210))
    sheet.turned([(6, 38), (9.5, 47), (9.5, 54), (6, 63)], (255, 240, 190))
    sheet.shape([(50, 42), (53.4, 50), (53, 57), (50, 60), (47, 57), (46.6, 50)], accent, flat=True)
    sheet.shape([(50, 50), (51.6, 54), (50, 59), (48.4, 54)], (255, 250, 226), flat=True)
    sheet.turned([(11, 63), (12, 66), (18, 70), (20, 76), (19, GROUND)], main)


def compass(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.ring(50, 15.5, 6, 1.6, darker(main, 0.2))
    sheet.box(47, 18, 53, 25, main, corner=1)
    sheet.oval(52, 55.5, 31, 31, (176, 166, 150), flat=True)
    sheet.oval(50, 53, 31, 31, main)
    sheet.oval(50, 53, 26.5, 26.5, WHITE)
    for angle in range(0, 360, 15):
        sheet.stroke(
            [around(50, 53, 21 if angle % 90 == 0 else 23.4, angle), around(50, 53, 25, angle)],
            1.4 if angle % 90 == 0 else 0.6,
            DARK,
            smooth=False,
        )
    tip, tail = around(50, 53, 20, 62), around(50, 53, 20, 242)
    left, right = around(50, 53, 4, 152), around(50, 53, 4, 332)
    sheet.polygon([tip, left, right], accent)
    sheet.polygon([tail, left, right], (92, 98, 106))
    sheet.oval(50, 53, 2.2, 2.2, main)


def backpack(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(24, 76)
    sheet.stroke([(43, 20), (44, 12), (56, 12), (57, 20)], 2, accent)
    sheet.box(22, 52, 30, 78, darker(main, 0.2), corner=3)
    sheet.box(70, 52, 78, 78, darker(main, 0.2), corner=3)
    sheet.box(27, 18, 73, GROUND, main, corner=9)
    sheet.box(26, 17, 74, 44, lighter(main, 0.1), corner=9)
    sheet.box(33, 54, 67, 77, darker(main, 0.1), corner=4)
    sheet.box(33, 54, 67, 61, lighter(main, 0.06), corner=3)
    for x in (36.5, 59.5):
        sheet.box(x, 36, x + 4, 66, accent, corner=1)
        sheet.box(x - 0.8, 48, x + 4.8, 52, (202, 164, 90), corner=0.6)


def bell(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.stroke([(0, 76), (30, 72), (70, 72), (100, 76)], 7, accent)
    sheet.box(44, 62, 56, 77, darker(accent, 0.1), corner=2)
    sheet.stroke([(66, 58), (84, 50), (90, 40)], 3, darker(main, 0.3))
    sheet.oval(90, 38, 3.4, 3.4, accent)
    sheet.turned([(2, 26), (18, 32), (26, 45), (28, 58), (29.5, 62)], main)
    sheet.box(20, 60.5, 80, 65, darker(main, 0.15), corner=2)
    sheet.oval(50, 26, 3.4, 2.6, darker(main, 0.2))
    sheet.shape([(32, 44), (37, 36), (40, 36), (35, 46), (33, 56), (30, 55)], lighter(main, 0.6), flat=True)


def umbrella(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.stroke([(50, 20), (50, 80), (51, 88), (57, 90), (61, 85)], 2.4, accent, smooth=True)
    sheet.stroke([(50, 14), (50, 22)], 1.2, DARK, smooth=False)
    arch = [around(50, 55, 36, angle) for angle in range(0, 181, 10)]
    scallops = [
        point for n in range(5) for point in ((14 + n * 14.4, 55), (16.8 + n * 14.4, 52.4), (21.2 + n * 14.4, 51), (25.6 + n * 14.4, 52.4))
    ]
    sheet.polygon([*arch, *scallops, (86, 55)], main)
    for foot in (28.4, 42.8, 57.2, 71.6):
        bend = (foot - 50) * 0.72
        sheet.stroke([(50, 19), (50 + bend, 34), (foot, 54.6)], 0.6, lighter(main, 0.3))


# --- Bitcoin --------------------------------------------------------------------------------------------------------------------


def coin(sheet: Sheet, x: float, y: float, size: float, face: Color, mark: Color) -> None:
    """A coin with the letter B and its two strokes."""
    sheet.oval(x, y, size, size, face)
    width, s = size * 0.15, size * 0.1
    sheet.stroke([(x - 2.6 * s, y - 4.6 * s), (x - 2.6 * s, y + 4.6 * s)], width, mark, smooth=False)
    sheet.stroke(
        [(x - 2.6 * s, y - 4.6 * s), (x + 0.6 * s, y - 4.6 * s), (x + 2.5 * s, y - 2.4 * s), (x + 0.6 * s, y), (x - 2.6 * s, y)],
        width,
        mark,
    )
    sheet.stroke(
        [(x - 2.6 * s, y), (x + 1.2 * s, y), (x + 3.1 * s, y + 2.3 * s), (x + 1.2 * s, y + 4.6 * s), (x - 2.6 * s, y + 4.6 * s)],
        width,
        mark,
    )
    for dx in (-1.2, 0.9):
        for top, bottom in ((-6.6, -4.6), (4.6, 6.6)):
            sheet.stroke([(x + dx * s, y + top * s), (x + dx * s, y + bottom * s)], width * 0.8, mark, smooth=False)


def signer(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(32, 68)
    sheet.box(33, 16, 67, GROUND, main, corner=6)
    sheet.box(37, 22, 63, 48, (18, 22, 26), corner=2)
    sheet.box(40, 26, 52, 28, accent, flat=True)
    for y, right in ((32, 60), (36, 57), (40, 59)):
        sheet.box(40, y, right, y + 1.4, (150, 160, 168), flat=True)
    for x in (43, 57):
        sheet.oval(x, 57.5, 4, 4, lighter(main, 0.18))
    sheet.stroke([(41.4, 57.6), (42.8, 59), (45, 56)], 0.8, GREEN, smooth=False)
    sheet.stroke([(55.6, 56.1), (58.4, 58.9)], 0.8, (220, 90, 80), smooth=False)
    sheet.stroke([(58.4, 56.1), (55.6, 58.9)], 0.8, (220, 90, 80), smooth=False)
    coin(sheet, 50, 71, 5, accent, main)


def plate(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(18, 82)
    sheet.box(19, 22, 81, GROUND, main, corner=4)
    for x in (23, 77):
        sheet.oval(x, 26, 1.6, 1.6, accent)
        sheet.oval(x, 78, 1.6, 1.6, accent)
    for column in range(2):
        for row in range(12):
            left, y = 27 + column * 24, 28.5 + row * 4.1
            sheet.box(left, y, left + 2, y + 1.8, accent, flat=True)
            for dot in range(8):
                punched = (row * 5 + dot * 3 + column * 7) % 4 < 2
                sheet.oval(left + 5.4 + dot * 2.1, y + 0.9, 0.72, 0.72, darker(accent, 0.5) if punched else lighter(main, 0.3), flat=True)


def node(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(18, 84)
    sheet.stroke([(80, 70), (92, 70), (95, 84), (100, 88)], 1.8, DARK)
    sheet.polygon([(20, 46), (34, 36), (86, 36), (80, 46)], lighter(main, 0.22))
    sheet.polygon([(80, 46), (86, 36), (86, 70), (80, 80)], darker(main, 0.35))
    sheet.box(20, 46, 80, 80, main, corner=2)
    for x in (25, 71):
        sheet.box(x, 80, x + 5, GROUND, DARK, flat=True)
    for n in range(7):
        sheet.box(56 + n * 3, 52, 57.4 + n * 3, 74, darker(main, 0.4), corner=0.6, flat=True)
    coin(sheet, 37, 63, 10, accent, main)
    sheet.oval(75, 77, 0.9, 0.9, (140, 230, 150), flat=True)


def shirt(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.polygon(
        [
            (36, 19),
            (43, 22),
            (57, 22),
            (64, 19),
            (84, 30),
            (91, 47),
            (78, 52),
            (73, 44),
            (73, 86),
            (27, 86),
            (27, 44),
            (22, 52),
            (9, 47),
            (16, 30),
        ],
        main,
    )
    sheet.shape([(41, 20.6), (50, 19.6), (59, 20.6), (55, 27), (50, 29), (45, 27)], darker(main, 0.45), flat=True)
    sheet.stroke([(40.4, 20.4), (44.4, 27.4), (50, 29.6), (55.6, 27.4), (59.6, 20.4)], 1.4, lighter(main, 0.16))
    for x in (27, 73):
        sheet.stroke([(x, 44), (x + (50 - x) * 0.06, 60)], 0.6, darker(main, 0.4), smooth=False)
    coin(sheet, 50, 51, 13, accent, main)


def cap(sheet: Sheet, main: Color, accent: Color) -> None:
    sheet.shadow(16, 90, 76)
    sheet.shape([(50, 66), (66, 62), (84, 65), (94, 73), (84, 76), (66, 74), (48, 74)], darker(main, 0.2))
    sheet.shape([(16, 70), (17, 50), (27, 34), (45, 27), (62, 33), (72, 48), (74, 66), (60, 70), (40, 74), (22, 75)], main)
    sheet.oval(45, 27.5, 2.6, 1.8, darker(main, 0.2))
    sheet.stroke([(45, 28), (34, 48), (33, 73)], 0.5, darker(main, 0.3))
    sheet.stroke([(45, 28), (60, 46), (63, 69)], 0.5, darker(main, 0.3))
    coin(sheet, 49, 54, 8, accent, main)
