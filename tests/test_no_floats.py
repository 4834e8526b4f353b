"""Money is counted in integers: nothing that handles it may know a float."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    file
    for file in [*ROOT.glob("payments/**/*.py"), *ROOT.glob("shop/**/*.py"), ROOT / "cryptons" / "money.py"]
    if "tests" not in file.relative_to(ROOT).parts
)


def floats_in(source: str) -> list[str]:
    """`line: what` for each mention of `float` or `FloatField`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in ("float", "FloatField"):
            found.append(f"{node.lineno}: {node.id}")
        elif isinstance(node, ast.Attribute) and node.attr == "FloatField":
            found.append(f"{node.lineno}: {node.attr}")
        elif isinstance(node, ast.alias) and node.name == "FloatField":
            found.append(f"{node.lineno}: {node.name}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_that_handles_money_contains_a_float(file: Path):
    assert floats_in(file.read_text(encoding="utf-8")) == []


def test_the_float_check_reads_the_code_that_handles_money():
    names = {str(file.relative_to(ROOT)) for file in FILES}

    assert {"cryptons/money.py", "payments/invoices/evaluation.py", "payments/models/invoices.py", "shop/models.py"} <= names


@pytest.mark.parametrize(
    "source",
    ["x = float(y)", "x: float", "def f(x: list[float]): ...", "x = models.FloatField()", "from django.db.models import FloatField"],
)
def test_the_float_check_finds_a_float_in_any_form(source: str):
    assert len(floats_in(source)) == 1
