"""docs/asvs.md has each requirement of levels 1 and 2 of OWASP's ASVS 5.0.0 once, names what exists, and is counted right."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERDICTS = ("met", "not met", "does not apply")
_LEVELS = """
    1.1=22 1.2=1111122223 1.3=112222222223 1.4=222 1.5=123
    2.1=122 2.2=112 2.3=12223 2.4=23
    3.1=3 3.2=113 3.3=12223 3.4=11222233 3.5=11122333 3.6=3 3.7=22333
    4.1=12233 4.2=23333 4.3=22 4.4=1222
    5.1=2 5.2=112333 5.3=113 5.4=222
    6.1=122 6.2=111111112222 6.3=11223333 6.4=112233 6.5=22222333 6.6=2223 6.7=33 6.8=2222
    7.1=222 7.2=1111 7.3=22 7.4=11222 7.5=223 7.6=22
    8.1=1233 8.2=1123 8.3=133 8.4=23
    9.1=111 9.2=1222
    10.1=22 10.2=223 10.3=22223 10.4=1111122222233333 10.5=22222 10.6=22 10.7=222
    11.1=2233 11.2=22233 11.3=11233 11.4=1222 11.5=23 11.6=23 11.7=33
    12.1=12233 12.2=11 12.3=22223
    13.1=2333 13.2=222223 13.3=2233 13.4=1222233
    14.1=22 14.2=12223333 14.3=122
    15.1=12233 15.2=12233 15.3=1222222 15.4=3333
    16.1=2 16.2=22222 16.3=2222 16.4=222 16.5=2223
    17.1=23 17.2=22223333 17.3=22
"""
LEVELS = {section: levels for section, _, levels in (word.partition("=") for word in _LEVELS.split())}
"""The level of each requirement, by section: 1.5.3 is the third of 1.5, and of level 3."""


@dataclass(frozen=True)
class Row:
    numbers: str
    level: str
    requirement: str
    verdict: str
    where: str
    tests: str

    def requirements(self) -> Iterator[str]:
        """Yield the numbers of levels 1 and 2, of a range such as `4.4.1–4.4.4` each."""
        for part in self.numbers.split(", "):
            first, _, last = part.partition("–")
            section, _, start = first.rpartition(".")
            for number in range(int(start), int((last or first).rpartition(".")[2]) + 1):
                if LEVELS[section][number - 1] in "12":
                    yield f"{section}.{number}"


def table(document: str, *, first_cell: str) -> list[list[str]]:
    """Return the cells of the document's rows whose first one matches."""
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if re.match(first_cell, row[0])]


ROWS = [Row(*cells) for cells in table("docs/asvs.md", first_cell=r"\d+\.\d+\.\d+")]


def test_each_requirement_of_levels_1_and_2_has_one_row():
    numbers = [f"{section}.{number}" for section, levels in LEVELS.items() for number, level in enumerate(levels, 1) if level in "12"]

    assert (len(numbers), sum(map(len, LEVELS.values()))) == (253, 345)
    assert Counter(number for row in ROWS for number in row.requirements()) == Counter(numbers)


def test_each_row_has_its_levels_a_known_verdict_and_a_reason():
    for row in ROWS:
        numbers = [each.rpartition(".") for each in row.requirements()]
        assert row.level == ", ".join(sorted({LEVELS[section][int(number) - 1] for section, _, number in numbers})), row
        assert row.verdict in VERDICTS, row
        assert row.requirement, row
        assert row.where, row
        assert bool(row.tests) == (row.verdict == "met"), row


def test_the_files_and_tests_that_a_row_names_exist():
    for row in ROWS:
        files = [span for span in spans(row.where) if re.search(r"[./]", span) and not span.startswith("/")]
        assert files or row.verdict != "met", row
        assert [file for file in files if not (ROOT / file).exists()] == []
        assert spans(row.tests) or row.tests in ("", "not tested"), row
        for file, _, name in (test.partition("::") for test in spans(row.tests)):
            code = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name}\(" if name else r"^def test_", code, re.MULTILINE), f"{file}::{name}"


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_the_summary_counts_the_rows_of_each_chapter():
    counts = Counter((number.partition(".")[0], row.verdict) for row in ROWS for number in row.requirements())
    chapters = dict.fromkeys(section.partition(".")[0] for section in LEVELS)
    counted = [[chapter, *(str(counts[chapter, verdict]) for verdict in VERDICTS)] for chapter in chapters]
    total = [str(sum(counts[chapter, verdict] for chapter in chapters)) for verdict in VERDICTS]

    summary = table("SECURITY.md", first_cell=r"\d+\. |All$")

    assert [[row[0].partition(".")[0], *row[1:]] for row in summary] == [*counted, ["All", *total]]
