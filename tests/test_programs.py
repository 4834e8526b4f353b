"""A program that is missing is named, with what would help."""

import pytest

from tests import programs
from tests.programs import Missing, find


@pytest.mark.parametrize(
    ("names", "by_hand"), [((), ""), (("no-such-program", "nor-this"), "put no-such-program or nor-this on PATH; ")], ids=["script", "both"]
)
def test_a_script_that_gets_nothing_is_named_with_what_would_help(names, by_hand, tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "TOOLS", tmp_path)
    (tmp_path / "get-it.sh").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "get-it.sh").chmod(0o755)

    with pytest.raises(Missing) as missing:
        find("axe-core", *names, script="get-it.sh")

    assert str(missing.value) == f"axe-core: {by_hand}{tmp_path / 'get-it.sh'} got none (exit code 127)."
