"""What `make stack` starts, and where it looks for it."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests import programs, servers
from tests.running import ROOT, wait_for


def answers(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_make_stack_starts_every_server_and_make_stack_down_stops_them(server_folder: Path):
    environment = {**os.environ, "STACK_DATA": str(server_folder / "stack")}
    with (server_folder / "said").open("w") as said:
        command = [sys.executable, "-m", "tests.servers"]
        try:
            subprocess.run([*command, "up"], cwd=ROOT, env=environment, stdout=said, stderr=said, check=True)
            told = (server_folder / "said").read_text()
            assert "missing" not in told, told
            settings = dict(word.split("=", 1) for word in told.split() if "=" in word)
            names = ("BITCOIN_RPC_PORT", "LITECOIN_RPC_PORT", "DATABASE_URL", "REDIS_URL", "ELASTICSEARCH_URL", "LND_HOST")
            ports = [settings[name].rpartition(":")[2].partition("/")[0] for name in names]
            assert [answers(port) for port in ports] == [True] * 6
        finally:
            subprocess.run([*command, "down"], cwd=ROOT, env=environment, check=True)
    wait_for("all of them to end", lambda: not any(answers(port) for port in ports), seconds=20)


def test_a_server_that_is_not_installed_is_run_by_docker(server_folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A docker that runs the program it is told to on this machine: nothing else is known of the real one here."""
    program = shutil.which("redis-server")
    docker = server_folder / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        '#!/bin/sh\n[ "$2" = version ] && exit 0\n'
        'for word; do shift; [ "$word" = --entrypoint=redis-server ] && found=yes; [ "$word" = redis ] && break; done\n'
        f'[ "$found" ] && exec {program} "$@"\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/bin")
    monkeypatch.setattr(shutil, "which", lambda name: str(docker) if name == "docker" else None)

    server = servers.redis_server(server_folder / "redis")
    try:
        assert server.pid
        assert redis.Redis.from_url(server.settings["REDIS_URL"]).ping()
    finally:
        server.stop()


def test_the_error_names_a_missing_server_and_how_to_get_it(server_folder: Path, monkeypatch: pytest.MonkeyPatch):
    script = server_folder / "get-bitcoind.sh"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(programs, "TOOLS", server_folder)

    with pytest.raises(programs.Missing, match=rf"litecoind: put litecoind on PATH; {script} got none \(exit code 3\)"):
        servers.litecoind(server_folder / "litecoind")
