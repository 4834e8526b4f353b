"""One version for the command line, the API document and the package."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_manage_py_prints_the_version_of_the_shop() -> None:
    printed = subprocess.run([sys.executable, "manage.py", "version"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert printed.stdout == f"{VERSION}\n"


@pytest.mark.django_db
def test_the_api_document_has_the_version_of_the_shop(client) -> None:
    assert client.get("/api/schema").json()["info"]["version"] == VERSION


def test_the_changelog_begins_with_the_version_of_the_shop() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## [")]

    assert headings[0] == "## [Unreleased]"
    assert headings[1].startswith(f"## [{VERSION}] - ")
