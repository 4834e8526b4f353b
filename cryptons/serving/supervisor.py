"""Keep child processes running until a stop is requested, and leave none behind.

`python -m cryptons.serving.supervisor OPTIONS` runs the web server and the worker. It does not load Django, which would take 150 MB.
"""

import http.client
import json
import math
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import FrameType

from cryptons.serving.listening import Listening

POLL_SECONDS = 0.1
STOP_SECONDS = 15
"""How long a child may take to finish before it is killed."""
STEADY_SECONDS = 5
"""A child that ran this long is restarted at once; one that keeps dying waits longer each time."""
MAX_WAIT_SECONDS = 10
FIRST_ANSWER_SECONDS = 60


class StopRequested(Exception):
    """Raised in the running code when a stop is requested."""


class StopSignal:
    """Handles Ctrl-C, SIGTERM and SIGHUP: interrupts the running code if it `breaks_off`, otherwise only sets `requested`."""

    def __init__(self, *, breaks_off: bool) -> None:
        self.requested = False
        self.breaks_off = breaks_off
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if self.breaks_off:
            self.breaks_off = False
            raise StopRequested


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    restart: float | None = None
    """When the dead child is restarted; None while it runs. Seconds of the monotonic clock, like `started`."""


class Supervisor:
    def __init__(self, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.environment = environment
        self.say = say
        self.children: list[Child] = []

    def start(self, name: str, command: Sequence[str]) -> None:
        self.children.append(Child(name, command, self._launch(command), time.monotonic()))

    def _launch(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal reaches only the supervisor, which then stops each child in order.
        return subprocess.Popen(  # noqa: S603
            command, env=dict(self.environment), stdin=subprocess.DEVNULL, start_new_session=True
        )

    def look_after(self) -> None:
        """Restart the children that died. Call it about every POLL_SECONDS."""
        now = time.monotonic()
        for child in self.children:
            if child.restart is not None:
                if now >= child.restart:
                    child.process, child.started, child.restart = self._launch(child.command), now, None
            elif child.process.poll() is not None:
                self._plan_restart(child, now)

    def _plan_restart(self, child: Child, now: float) -> None:
        _kill_group(child.process, signal.SIGKILL)
        child.failures = 0 if now - child.started >= STEADY_SECONDS else child.failures + 1
        wait = min(0.5 * 2**child.failures, MAX_WAIT_SECONDS) if child.failures else 0.0
        child.restart = now + wait
        when = f"in {wait:.0f} s" if wait else "now"
        self.say(f"The {child.name} process ended ({_how(child.process.returncode)}). It restarts {when}.")

    def stop(self) -> None:
        """Stop all children at the same time, and kill those that do not finish in STOP_SECONDS."""
        running = [child for child in self.children if child.restart is None]
        for child in running:
            _kill_group(child.process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in running:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"The {child.name} process does not end. It is killed.")
            _kill_group(child.process, signal.SIGKILL)
            child.process.wait()


def _kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child and its own children, which share its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def say(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Shop:
    """What the supervisor knows of the shop."""

    name: str
    public_url: str
    listening: Listening

    def replace_process(self, environment: Mapping[str, str]) -> None:
        """Become the supervisor of this shop. Does not return."""
        command = [sys.executable, "-m", "cryptons.serving.supervisor", json.dumps(asdict(self))]
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, dict(environment))  # noqa: S606


def run(shop: Shop) -> None:
    """Run web server and worker until a stop is requested.

    The address is printed when the home page answers, also when that takes longer than FIRST_ANSWER_SECONDS.
    """
    stop = StopSignal(breaks_off=False)
    supervisor = Supervisor(os.environ, say)
    try:
        supervisor.start("web", shop.listening.command())
        supervisor.start("worker", [sys.executable, "-m", "cryptons.serving.worker"])
        deadline = time.monotonic() + FIRST_ANSWER_SECONDS
        announced = False
        while not stop.requested:
            supervisor.look_after()
            if not announced and (status := home_page_status(shop.listening)) is not None:
                announce(shop, status)
                announced = True
            elif not announced and time.monotonic() > deadline:
                say(f"The web server does not answer on {shop.listening.host}:{shop.listening.port}. Its messages are above.")
                deadline = math.inf
            time.sleep(POLL_SECONDS)
        say("Stopping.")
    finally:
        supervisor.stop()


def announce(shop: Shop, status: int) -> None:
    if status >= 500:
        say(f"The home page answers with an error ({status}). Its messages are above.")
    say(f"{shop.name} is open: {shop.public_url}/   staff: {shop.public_url}/admin/   Ctrl-C stops it.")


def home_page_status(listening: Listening) -> int | None:
    """Return the status of the home page, or None while the server does not answer."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listening.host, listening.host)  # noqa: S104
    if listening.certificate:
        client: http.client.HTTPConnection = http.client.HTTPSConnection(host, listening.port, timeout=10, context=_own_server())
    else:
        client = http.client.HTTPConnection(host, listening.port, timeout=10)
    try:
        client.request("GET", "/", headers={"Host": f"localhost:{listening.port}"})
        return client.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        client.close()


def _own_server() -> ssl.SSLContext:
    """The certificate is for the shop's public name, and this connection stays on the machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def main() -> None:
    options = json.loads(sys.argv[1])
    run(Shop(**options | {"listening": Listening(**options["listening"])}))


if __name__ == "__main__":
    main()
