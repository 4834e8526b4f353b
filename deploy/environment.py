"""Make `.venv` and install a lock into it: `python3 deploy/environment.py requirements.txt STAMP`. Needs the standard library only."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

VENV = Path(__file__).resolve().parent.parent / ".venv"
PYTHON = VENV / "bin" / "python"


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
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes", "-r", lock]
    run(f"Installing {count} packages", pip, if_it_fails=f"The packages of {lock} could not be installed: is the package index reachable?")
    Path(stamp).touch()


if __name__ == "__main__":
    main()
