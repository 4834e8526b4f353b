from pathlib import Path

from deploy.environment import pin_of

ROOT = Path(__file__).resolve().parent.parent


def test_the_lock_for_developers_pins_the_installer_with_its_hashes_and_that_of_a_shop_needs_none():
    lines = pin_of("uv", (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")).splitlines()

    assert lines[0].startswith("uv==")
    assert [line for line in lines[1:] if line.strip().startswith("--hash=sha256:")]
    assert [line for line in lines[1:] if not line.startswith(" ")] == []
    assert pin_of("uv", (ROOT / "requirements.txt").read_text(encoding="utf-8")) == ""
