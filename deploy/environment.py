"""Make `.venv` and install a lock into it: `python3 deploy/environment.py requirements.txt STAMP`. Needs the standard library only."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VENV = Path(__file__).resolve().parent.parent / ".venv"
PYTHON = VENV / "bin" / "python"
PIP = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "-r"]
UV = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "-r"]


def run(title: str, command: list[str], *, if_it_fails: str = "") -> None:
    """Run the command, print a dot each second, and print its output only when it fails. Exits then."""
    print(f"{title} ", end="", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        while True:
            try:
                code = process.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                print(".", end="", flush=True)
        print(f"{time.monotonic() - started:.1f} s", flush=True)
        if code:
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


def install_with_uv(lock: str) -> bool:
    """Install a lock that pins uv with it, in a tenth of pip's time. Returns whether all is there: uv does not know pip's settings."""
    pin = pin_of("uv", Path(lock).read_text(encoding="utf-8"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as first:
        first.write(pin)
        first.flush()
        commands = [[*PIP, first.name], [*UV, lock]]
        return bool(pin) and all(subprocess.run(each, capture_output=True, check=False).returncode == 0 for each in commands)  # noqa: S603


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
    if not install_with_uv(lock):
        failed = f"The packages of {lock} could not be installed: is the package index reachable?"
        run(f"Installing {count} packages", [*PIP, lock], if_it_fails=failed)
    Path(stamp).touch()


if __name__ == "__main__":
    main()
