"""What people read or review is short: lines, files and functions."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ("requirements", "locale/", "static/js/htmx", "payments/networks/lightning/lnd/")
BINARY = (".png", ".webp", ".mo")

MOST_COLUMNS = 140
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [name for name in listed if not name.startswith(GENERATED) and not name.endswith(BINARY) and "/migrations/" not in name]
    return [ROOT / name for name in names if (ROOT / name).exists()]


def is_row_of_a_table(file: Path, line: str) -> bool:
    """Whether it is Markdown that cannot be broken."""
    return file.suffix == ".md" and line.startswith("| ")


def test_no_line_is_longer_than_140_characters():
    too_long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MOST_COLUMNS and not is_row_of_a_table(file, line)
    ]

    assert len(files()) > 500
    assert too_long == []


def test_no_python_file_is_longer_than_400_lines():
    lengths = {file.relative_to(ROOT): len(file.read_text(encoding="utf-8").splitlines()) for file in files() if file.suffix == ".py"}

    assert {str(file): lines for file, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_longer_than_60_lines():
    functions = [
        (f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for file in files()
        if file.suffix == ".py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert len(functions) > 3000
    assert [function for function in functions if function[1] > MOST_LINES_OF_A_FUNCTION] == []
