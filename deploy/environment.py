"""Make `.venv` and install a lock into it: `python3 deploy/environment.py requirements.txt STAMP`. Needs the standard library only."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

VENV = Path(__file__).resolve().parent.parent / ".venv"
PYTHON = VENV / "bin" / "python"
PIP = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "-r"]
UV = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "-r"]


def succeeds(title: str, command: list[str], output: IO[str]) -> bool:
    """Run the command with its output in a file, and print the title, a dot each second, and how long it took."""
    print(f"{title} ", end="", flush=True)
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
    while True:
        try:
            code = process.wait(timeout=1)
            break
        except subprocess.TimeoutExpired:
            print(".", end="", flush=True)
    print(f"{time.monotonic() - started:.1f} s", flush=True)
    return code == 0


def run(title: str, command: list[str], *, if_it_fails: str = "") -> None:
    """Run the command as `succeeds` does, and print its output only when it fails. Exits then."""
    with tempfile.TemporaryFile("w+") as output:
        if not succeeds(title, command, output):
            output.seek(0)
            sys.exit("\n".join([*output.read().splitlines()[-20:], if_it_fails or f"Failed: {' '.join(command)}"]))


def is_usable() -> bool:
    """Return whether .venv is complete and has Python 3.11 or newer; otherwise it must be made again."""
    try:
        check = subprocess.run(  # noqa: S603
            [PYTHON, "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"], capture_output=True, check=False
        )
    except OSError:
        return False
    return check.returncode == 0


def pin_of(package: str, lock: str) -> str:
    """Return the lines of a lock's text that pin this package, with its hashes; none if it is not in there."""
    found = re.search(rf"^{package}==.*\n(?: .*\n)*", lock, re.MULTILINE)
    return found[0] if found else ""


def install_with_uv(title: str, lock: str) -> bool:
    """Install a lock that pins uv with it, in a quarter of pip's time. Returns whether all is there: uv does not know pip's settings."""
    pin = pin_of("uv", Path(lock).read_text(encoding="utf-8"))
    if not pin:
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as first, tempfile.TemporaryFile("w+") as output:
        first.write(pin)
        first.flush()
        return succeeds("Installing uv", [*PIP, first.name], output) and succeeds(f"{title} with uv", [*UV, lock], output)


def main() -> None:
    lock, stamp = sys.argv[1:]
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(f"Cryptons needs Python 3.11 or newer, this is {sys.version.split()[0]}. Name another one: make PYTHON=python3.12 …")
    if not is_usable():
        run(
            "Making the environment in .venv",
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            if_it_fails="Python's venv module is missing or broken. On Debian and Ubuntu: apt-get install python3-venv",
        )
    count = sum("==" in line for line in Path(lock).read_text(encoding="utf-8").splitlines())
    title = f"Installing {count} packages"
    if not install_with_uv(title, lock):
        run(title, [*PIP, lock], if_it_fails=f"The packages of {lock} could not be installed: is the package index reachable?")
    Path(stamp).touch()


if __name__ == "__main__":
    main()
