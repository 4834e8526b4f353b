"""Real servers to test against, on 127.0.0.1 and free ports, with their data in a folder that is thrown away.

For each the first that is there is taken: an address in the environment, a program on PATH, one that a script in `tests/stack/tools`
(or `$STACK_TOOLS`) gets, one that `docker compose` runs.

    python -m tests.servers run postgres -- COMMAND…     COMMAND with STACK_DATABASE_URL
    python -m tests.servers up                           all that this machine can get, until `down`
    python -m tests.servers down
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pymongo
import redis

from tests.programs import COMPOSE, TOOLS, Missing, command_of, find
from tests.running import LONGEST, ROOT, free_port, wait_for

if TYPE_CHECKING:
    from tests.stack.bitcoind import Node

STACK = Path(os.environ.get("STACK_DATA", ROOT / "var" / "stack"))
OTHER_USER = 65534
"""PostgreSQL does not run as root: then as `nobody`."""


@dataclass
class Server:
    name: str
    settings: dict[str, str]
    """What the shop is told, to use it."""
    pid: int = 0
    """Of the process that was started for it; 0 for a server that was there already."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    folder: Path | None = None
    others: "list[Server]" = field(default_factory=list)
    """What ends with it."""
    hint: str = ""
    """How a person uses it."""

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """As by a power cut: no word of farewell."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def spawn(name: str, command: Sequence[str], folder: Path, *, as_nobody: bool = False, environment: Mapping[str, str] = {}) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    user: dict[str, Any] = {"user": OTHER_USER, "group": OTHER_USER, "extra_groups": []} if as_nobody and os.getuid() == 0 else {}
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**COMPOSE, **os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **user,
        )
    return Server(name, {}, process.pid, process, folder)


def wait_until_it_answers(server: Server, answers: Callable[[], object], errors: type[Exception] | tuple[type[Exception], ...]) -> None:
    def look() -> bool:
        assert server.process is not None
        if server.process.poll() is not None:
            raise AssertionError(f"{server.name} ended at once, with exit code {server.process.returncode}.")
        try:
            answers()
        except errors:
            return False
        return True

    wait_for(f"{server.name} to answer", look, seconds=90)


def postgres(folder: Path, *, durable: bool = False, port: int = 0) -> Server:
    if (url := os.environ.get("DATABASE_URL", "")).startswith("postgres"):
        return Server("postgres", {"DATABASE_URL": url})
    folder, programs = _postgres_folder(folder), _postgres_programs()
    if not (folder / "data").exists():
        locale = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        _fill([f"{programs}/initdb", "-D", f"{folder}/data", *locale], folder)
    quick = {} if durable else {"fsync": "off", "full_page_writes": "off"}
    server, address = _start_postgres(folder, port or free_port(), quick)
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = 'cryptons'").fetchone():
            connection.execute("create database cryptons")
    server.settings["DATABASE_URL"] = f"{address}/cryptons"
    return server


def postgres_replica(folder: Path, primary: Server) -> Server:
    """Follows a `postgres` that was started here."""
    folder, programs = _postgres_folder(folder), _postgres_programs()
    source = f"host=127.0.0.1 port={urlsplit(primary.settings['DATABASE_URL']).port} user=postgres"
    _fill([f"{programs}/pg_basebackup", "-D", f"{folder}/data", "-d", source, "-R", "-c", "fast", "--no-sync"], folder)
    server, address = _start_postgres(folder, free_port(), {})
    server.settings["DATABASE_REPLICA_URL"] = f"{address}/cryptons"
    return server


def _postgres_programs() -> Path:
    """The folder with `postgres`, `initdb` and `pg_basebackup`: what lies on PATH may be a link to the first alone."""
    folder = Path(find("postgres", "postgres", places="/usr/lib/postgresql/*/bin/postgres")).resolve().parent
    if not (folder / "initdb").exists():
        folder = Path(find("postgres", places="/usr/lib/postgresql/*/bin/postgres")).parent
    return folder


def _postgres_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        _open_the_way(folder)
        os.chown(folder, OTHER_USER, OTHER_USER)
    return folder


def _fill(command: list[str], folder: Path) -> None:
    made = spawn(Path(command[0]).name, command, folder, as_nobody=True)
    assert made.process is not None
    if made.process.wait(2 * LONGEST):
        raise AssertionError(f"{made.name} failed: {(folder.parent / f'{folder.name}.log').read_text()[-1000:]}")


def _start_postgres(folder: Path, port: int, more: Mapping[str, str]) -> tuple[Server, str]:
    """The server, and its address without a database's name."""
    options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "300", **more}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = spawn("postgres", [f"{_postgres_programs()}/postgres", "-D", f"{folder}/data", *settings], folder, as_nobody=True)
    address = f"postgres://postgres@127.0.0.1:{port}"
    wait_until_it_answers(server, lambda: psycopg.connect(f"{address}/postgres", connect_timeout=2).close(), psycopg.Error)
    return server, address


def mongodb(folder: Path, *, durable: bool = False, port: int = 0) -> Server:
    """A mongod that is on PATH, as a replica set of one; else the gateway of TOOLS."""
    if (url := os.environ.get("DATABASE_URL", "")).startswith("mongodb"):
        return Server("mongodb", {"DATABASE_URL": url})
    port = port or free_port()
    mongod = command_of(folder, "mongo1", "mongod", script="get-mongo-api.sh")
    is_mongod = mongod[0] == "docker" or bool(shutil.which("mongod"))
    if is_mongod:
        command = [*mongod, "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1", "--replSet", "rs0"]
        server = spawn("mongodb", command, folder)
    else:
        if os.getuid() == 0:
            _open_the_way(folder)
        command = [str(TOOLS / "start-mongo-api.sh"), str(folder), str(port)]
        server = spawn("mongodb", command, folder, environment={"DURABLE": "1"} if durable else {})
    direct: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        f"mongodb://127.0.0.1:{port}/?directConnection=true", serverSelectionTimeoutMS=500
    )
    wait_until_it_answers(server, lambda: direct.admin.command("ping"), pymongo.errors.PyMongoError)
    if is_mongod:
        with contextlib.suppress(pymongo.errors.OperationFailure):
            direct.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]})
        wait_until_it_answers(server, lambda: direct.admin.command("hello")["isWritablePrimary"] or 1 / 0, ZeroDivisionError)
    direct.close()
    server.settings["DATABASE_URL"] = f"mongodb://127.0.0.1:{port}/cryptons?replicaSet=rs0"
    return server


def redis_server(folder: Path, *, port: int = 0) -> Server:
    if url := os.environ.get("REDIS_URL"):
        return Server("redis", {"REDIS_URL": url})
    port = port or free_port()
    command = [*command_of(folder, "redis", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = spawn("redis", command, folder)
    server.settings["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    wait_until_it_answers(server, lambda: redis.Redis(port=port).ping(), redis.RedisError)
    return server


def elasticsearch(folder: Path, *, port: int = 0) -> Server:
    if url := os.environ.get("ELASTICSEARCH_URL"):
        return Server("elasticsearch", {"ELASTICSEARCH_URL": url})
    port = port or free_port()
    program = command_of(folder, "elasticsearch", "elasticsearch-test", script="get-elasticsearch.sh")
    if program[0] == "docker":  # the image's own start, with its own folder and user
        words = [word for word in program[:-1] if not word.startswith(("--entrypoint", "--user", "--volume", "--workdir"))]
        command = [*words, "-e", f"http.port={port}", "-e", "network.host=127.0.0.1", "elasticsearch"]
    else:
        command = [*program, str(port), str(folder)]
    quick = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}  # the better code of the second compiler would come too late
    server = spawn("elasticsearch", command, folder, environment=quick)
    url = f"http://127.0.0.1:{port}"
    wait_until_it_answers(
        server,
        lambda: httpx.get(f"{url}/_cluster/health?wait_for_status=yellow&timeout=20s", timeout=LONGEST).raise_for_status(),
        httpx.HTTPError,
    )
    server.settings["ELASTICSEARCH_URL"] = url
    return server


def bitcoind(folder: Path) -> Server:
    from tests.stack.bitcoind import Node

    return _node(Node(folder))


def litecoind(folder: Path) -> Server:
    from tests.stack.litecoind import LitecoinNode

    return _node(LitecoinNode(folder))


def _node(node: "Node") -> Server:
    if not node.is_ours:
        return Server(node.program, {name: value for name, value in os.environ.items() if name.startswith(f"{node.prefix}_")})
    node.start()
    node.make_wallets()
    assert node.process is not None
    return Server(node.program, node.settings(), node.process.pid, node.process)


def lnd(folder: Path) -> Server:
    """A shop's lnd and a payer's, with a channel each way, on the bitcoind that BITCOIN_RPC_HOST names."""
    if "LND_HOST" in os.environ:
        return Server("lnd", {name: value for name, value in os.environ.items() if name.startswith("LND_")})
    from tests.stack.bitcoind import Node
    from tests.stack.lightning import LightningPair

    if "BITCOIN_RPC_HOST" not in os.environ:
        raise Missing("lnd: it needs a bitcoind.")
    node = Node(folder)
    node.make_wallets()
    pair = LightningPair(folder, node)
    pair.start()
    assert pair.shop.server is not None
    assert pair.payer.server is not None
    server = pair.shop.server
    server.settings |= pair.shop.settings()
    server.others.append(pair.payer.server)
    server.hint = "Pay an invoice: " + shlex.join([*pair.payer.lncli(), "payinvoice", "--force", "REQUEST"])
    return server


DATABASES: dict[str, Callable[[Path], Server]] = {"postgres": postgres, "mongodb": mongodb}
ALL: dict[str, Callable[[Path], Server]] = {
    **DATABASES,
    "redis": redis_server,
    "elasticsearch": elasticsearch,
    "bitcoind": bitcoind,
    "lnd": lnd,
    "litecoind": litecoind,
}


def _open_the_way(folder: Path) -> None:
    """Another user must get to the folder: pytest's and mkdtemp's are closed to all others."""
    folder.mkdir(parents=True, exist_ok=True)
    for above in (folder, *folder.parents):
        with contextlib.suppress(PermissionError):
            above.chmod(above.stat().st_mode | 0o011)


@contextlib.contextmanager
def running(start: Callable[[Path], Server]) -> Iterator[Server]:
    """In a folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cryptons-server-"))
    server = start(folder / "server")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def run(name: str, command: list[str]) -> int:
    if name == "sqlite":
        return subprocess.run(command, check=False).returncode
    if name not in DATABASES:
        raise SystemExit(f"DB must be sqlite, postgres or mongodb, not {name!r}.")
    with running(DATABASES[name]) as server:
        environment = {**os.environ, "STACK_DATABASE_URL": server.settings["DATABASE_URL"]}
        return subprocess.run(command, env=environment, check=False).returncode


def up() -> int:
    """Each server in the background; `var/stack/servers.json` remembers what `down` ends. Returns how many are missing."""
    down()
    started: list[Server] = []
    missing = 0
    for name, start in ALL.items():
        print(f"{name:14} ", end="", flush=True)
        begun = time.monotonic()
        try:
            server = start(STACK / name)
        except (Missing, AssertionError) as error:
            missing += 1
            print(f"missing: {error}")
            continue
        started += [server, *server.others]
        os.environ |= server.settings  # lnd looks there for its bitcoind
        print(f"{time.monotonic() - begun:4.1f} s  " + "  ".join(f"{key}={value}" for key, value in server.settings.items()))
        if server.hint:
            print(f"{'':22}{server.hint}")
        (STACK / "servers.json").write_text(json.dumps([server.pid for server in started if server.pid]))
    lines = [f"{key}={shlex.quote(value)}" for server in started if server.name != "postgres" for key, value in server.settings.items()]
    (STACK / "stack.env").write_text("\n".join(lines) + "\n")
    print(f"\nThe shop on all of them (MongoDB as its database): set -a; . {STACK / 'stack.env'}; make run")
    return missing


def down() -> None:
    known = STACK / "servers.json"
    if known.is_file():
        for pid in json.loads(known.read_text()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(1)
    shutil.rmtree(STACK, ignore_errors=True)
    STACK.mkdir(parents=True, exist_ok=True)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    match sys.argv[1:]:
        case ["run", name, "--", *command]:
            try:
                sys.exit(run(name, command))
            except Missing as error:
                sys.exit(str(error))
        case ["up"]:
            up()
        case ["down"]:
            down()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    from tests import servers  # as the other modules know it

    servers.main()
