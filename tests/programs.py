"""Where the program of a real server is found: on PATH, by a script in `tests/stack/tools` (or `$STACK_TOOLS`), or in a container."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from glob import glob
from pathlib import Path

from tests.running import ROOT

TOOLS = Path(os.environ.get("STACK_TOOLS") or ROOT / "tests/stack/tools")


class Missing(Exception):
    """This machine has no such server, and cannot get it. The text says what would help."""


def find(name: str, *programs: str, script: str = "", places: str = "", choice: Mapping[str, str] = {}) -> str:
    """The program's path: on PATH, in `places` (a pattern; the last one), or what the script of TOOLS prints. Raises Missing."""
    for program in programs:
        if found := shutil.which(program):
            return found
    if places and (there := sorted(glob(places))):
        return there[-1]
    if not script:
        raise Missing(f"{name}: put {' or '.join(programs)} on PATH.")
    got = subprocess.run([TOOLS / script], stdout=subprocess.PIPE, env={**os.environ, **choice}, check=False, text=True)
    if got.returncode or not got.stdout.strip():
        by_hand = f"put {' or '.join(programs)} on PATH; " if programs else ""
        raise Missing(f"{name}: {by_hand}{TOOLS / script} got none (exit code {got.returncode}).")
    return got.stdout.strip().splitlines()[-1]


def command_of(folder: Path, service: str, *programs: str, script: str = "", choice: Mapping[str, str] = {}) -> list[str]:
    """How `programs[0]` is called: its path, or the words before its options with which `docker compose` runs it. Raises Missing.

    In a container it sees the machine's own 127.0.0.1, and `folder` under the same path.
    """
    try:
        return [find(programs[0], *programs, script=script, choice=choice)]
    except Missing:
        if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
            raise
    folder.mkdir(parents=True, exist_ok=True)
    files = ["-f", str(ROOT / "docker-compose.yml"), "-f", str(ROOT / "tests/compose.yml")]
    options = ["--rm", "-T", "--no-deps", f"--user={os.getuid()}", f"--volume={folder}:{folder}", f"--workdir={folder}"]
    return ["docker", "compose", *files, "run", *options, f"--entrypoint={programs[0]}", service]


COMPOSE = {"SECRET_KEY": "only-for-the-servers-of-the-tests", "ADMIN_PASSWORD": "none"}
"""Without these docker-compose.yml is refused, for each service."""
