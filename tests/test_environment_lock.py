from pathlib import Path

import pytest

from deploy import environment
from deploy.environment import install_with_uv, pin_of

ROOT = Path(__file__).resolve().parent.parent


def test_the_lock_for_developers_pins_the_installer_with_its_hashes_and_that_of_a_shop_needs_none():
    lines = pin_of("uv", (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")).splitlines()

    assert lines[0].startswith("uv==")
    assert [line for line in lines[1:] if line.strip().startswith("--hash=sha256:")]
    assert [line for line in lines[1:] if not line.startswith(" ")] == []
    assert pin_of("uv", (ROOT / "requirements.txt").read_text(encoding="utf-8")) == ""


@pytest.mark.parametrize(
    ("of_pip", "of_uv", "is_there", "printed"),
    [
        ("true", "true", True, ["Installing uv", "Installing 2 packages with uv"]),
        ("true", "false", False, ["Installing uv", "Installing 2 packages with uv"]),
        ("false", "true", False, ["Installing uv"]),
    ],
)
def test_a_lock_with_the_installer_is_installed_by_it_and_each_step_is_printed(
    monkeypatch, tmp_path, capsys, of_pip, of_uv, is_there, printed
):
    lock = tmp_path / "requirements.txt"
    lock.write_text("django==5.2 \\\n    --hash=sha256:0\nuv==1.0 \\\n    --hash=sha256:1\n")
    monkeypatch.setattr(environment, "PIP", [of_pip])
    monkeypatch.setattr(environment, "UV", [of_uv])

    assert install_with_uv("Installing 2 packages", str(lock)) is is_there
    assert [line.rpartition(" ")[0].rpartition(" ")[0] for line in capsys.readouterr().out.splitlines()] == printed


def test_a_lock_without_the_installer_is_left_to_pip(tmp_path, capsys):
    lock = tmp_path / "requirements.txt"
    lock.write_text("django==5.2 \\\n    --hash=sha256:0\n")

    assert install_with_uv("Installing 1 packages", str(lock)) is False
    assert capsys.readouterr().out == ""
