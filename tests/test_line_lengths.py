"""No line that people read or review is longer than 140 characters."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ("requirements", "locale/", "static/js/htmx", "payments/networks/lightning/lnd/")
BINARY = (".png", ".webp", ".mo")


def test_no_line_is_longer_than_140_characters():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    files = [
        name
        for name in listed
        if not name.startswith(GENERATED) and not name.endswith(BINARY) and "/migrations/" not in name and (ROOT / name).exists()
    ]

    too_long = [
        f"{name}:{number}"
        for name in files
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 140
    ]

    assert len(files) > 500
    assert too_long == []
