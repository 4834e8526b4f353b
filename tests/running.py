"""A whole shop in processes of its own, for the tests that only use it from outside."""

import atexit
import contextlib
import fcntl
import functools
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parent.parent
BUYER = {"username": "buyer", "email": "buyer@example.com", "password": "thread-and-kettle"}
STAFF = {"username": "admin", "email": "admin@example.com", "password": "the-water-must-boil"}

FIRST_START = "STACK_FIRST_START"
"""Names the folder of the first start that processes share."""

PATIENCE = int(os.environ.get("STACK_PATIENCE", "1"))
"""How many times longer things may take where others use the machine as well; `wait_for` and every other limit multiply by it."""

LONGEST = 60 * PATIENCE
"""Seconds of a limit that no claim is about: it only ends what would hang forever."""

T = TypeVar("T")


def free_port() -> int:
    """A port that no other test of this machine is given while this process lives, also before its server listens or while that is away.

    It is below those of outgoing connections, one of which could otherwise take it.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0cryptons-port-{port}")  # a name that the system forgets with the process; nothing listens there
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port


_claims: list[socket.socket] = []


def wait_for(what: str, look: Callable[[], T], *, seconds: float = 60) -> T:
    """Look again and again until the answer is true; an AssertionError with `what` when it never is.

    A look that takes long is repeated less often, because it would slow down what it waits for.
    """
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        began = time.monotonic()
        seen = look()
        took = time.monotonic() - began
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds * PATIENCE:.0f} s in vain for {what}; seen last: {seen!r}")
        time.sleep(max(0.1, 3 * took))


def in_time(what: str, act: Callable[[], T], *, seconds: float) -> T:
    """What it returns within this time. A busy machine may hold it up, but not three times in a row."""
    for _ in range(3):
        began = time.monotonic()
        done = act()
        if time.monotonic() - began < seconds * PATIENCE:
            return done
    raise AssertionError(f"{what} took more than {seconds * PATIENCE:.0f} s three times.")


class Shop:
    """`manage.py serve` with settings of its own; nothing of this machine's environment or `.env` reaches it."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.data = folder / "data"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            "CRYPTONS_DOTENV": "off",
            "DATA_DIR": str(self.data),
            "PORT": str(self.port),
            "ADMIN_USERNAME": STAFF["username"],
            "ADMIN_EMAIL": STAFF["email"],
            "ADMIN_PASSWORD": STAFF["password"],
            "RATE_LIMIT_ACCOUNT_MAILS": "1000000/minute",
            "RATE_LIMIT_API": "1000000/minute",
            "RATE_LIMIT_AUTH": "1000000/minute",
            "RATE_LIMIT_CART": "1000000/minute",
            "RATE_LIMIT_CHECKOUT": "1000000/minute",
            "RATE_LIMIT_LOGINS": "1000000/minute",
            "RATE_LIMIT_ORDER_MAILS": "1000000/minute",
            "UNPAID_ORDERS": "0",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=self.url, timeout=LONGEST)
        self._logins: dict[str, dict[str, str]] = {}

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            told = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--end-with-parent", *self.options],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120 * PATIENCE
        while f"is open: {self.url}" not in self.said(told):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"The shop did not start:\n{self.said(told)[-3000:]}")
            time.sleep(0.1)

    def said(self, since: int = 0) -> str:
        return self.log.read_bytes()[since:].decode(errors="replace")

    def stop(self) -> int:
        """Its exit code."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"The shop did not stop within {LONGEST} s.") from None

    def child(self, name: str) -> int | None:
        """The pid of its `web` or `worker` process, None while there is none."""
        assert self.process is not None
        for pid in children(self.process.pid):
            if f"cryptons.serving.{name}" in command(pid):
                return pid
        return None

    @contextlib.contextmanager
    def without(self, name: str) -> Iterator[None]:
        """The process stands still during the block, as one whose machine is asleep."""
        pid = wait_for(name, lambda: self.child(name))
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        while self._is_locked():
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _is_locked(self) -> bool:
        """Whether somebody was stopped in the middle of a write: on SQLite nobody else could write until they go on."""
        if "DATABASE_URL" in self.environment:
            return False
        with contextlib.closing(sqlite3.connect(self.data / "cryptons.sqlite3", timeout=0.5, isolation_level=None)) as database:
            try:
                database.execute("begin immediate")
            except sqlite3.OperationalError:
                return True
            database.execute("rollback")
            return False

    def staff(self) -> dict[str, str]:
        """Headers of a request by staff."""
        return self._login("/api/auth/login", {"email": STAFF["email"], "password": STAFF["password"]}, 200)

    def buyer(self) -> dict[str, str]:
        """Headers of a request by the one shopper who has an account."""
        return self._login("/api/auth/register", BUYER, 201)

    def _login(self, path: str, body: dict[str, str], status: int) -> dict[str, str]:
        if path not in self._logins:
            answer = self.http.post(path, json=body)
            assert answer.status_code == status, answer.text
            self._logins[path] = {"Authorization": f"Bearer {answer.json()['data']['token']}"}
        return self._logins[path]

    def get(self, path: str, **options: Any) -> Any:
        """The `data` of a successful answer."""
        answer = self.http.get(path, **options)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()["data"]


def share_first_start() -> Callable[[], None]:
    """Let the processes that this one starts share one first start. Call what is returned when they have ended."""
    folder = tempfile.mkdtemp(prefix="cryptons-first-")
    os.environ[FIRST_START] = folder

    def forget() -> None:
        os.environ.pop(FIRST_START)
        shutil.rmtree(folder, ignore_errors=True)

    return forget


@functools.cache
def data_of_a_first_start() -> Path:
    """The data folder of a shop without a node that was started and stopped: on a copy of it a start needs no migration."""
    if FIRST_START not in os.environ:
        atexit.register(share_first_start())
    folder = Path(os.environ[FIRST_START])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the end of the block
        shop = Shop(folder / "shop", "--no-demo")
        if not (folder / "done").exists():
            shop.start()
            assert shop.stop() == 0
            (folder / "done").touch()
    return shop.data


def children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)


def command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
