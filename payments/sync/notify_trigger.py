"""How `manage.py notify_payment` is quick. A node runs it for each transaction of its wallets: thousands at once, when a block brings them.

Where payments.sync.node_listener listens on this machine it left a file for each network in DATA_DIR; to touch that is all that a
hint needs, and Django, the settings and the queue are not even loaded. Where nobody listens, one of the crowd takes the long way for
all of them. So nothing but Python's own library may be imported here.
"""

import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path

DEFAULT_NETWORK = "BTC"
NETWORK = re.compile(r"[A-Z0-9]{1,10}")
TXID = re.compile(r"[0-9a-fA-F]{64}")

_DATA_DIR = re.compile(r"""^\s*(?:export )?DATA_DIR=(["']?)(.*?)\1\s*$""", re.MULTILINE)

_locks: list[int] = []


def trigger_file(data_dir: Path, network: str) -> Path:
    return data_dir / "hints" / network


def data_dir(root: Path) -> Path:
    """As the settings find it, in the plain cases; in others the hint takes the long way."""
    given = os.environ.get("DATA_DIR", "")
    if not given and os.environ.get("CRYPTONS_DOTENV") != "off":
        try:
            found = _DATA_DIR.search((root / ".env").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            found = None
        given = found[2] if found else ""
    return Path(given) if given else root / "var"


def trigger(arguments: list[str], root: Path) -> bool:
    """Whether all is done: TXID alone or with `--network`, and somebody listens or takes the long way. Else the command sees to it."""
    match arguments:
        case [txid]:
            network = DEFAULT_NETWORK
        case [txid, "--network", network]:
            pass
        case _:
            return False
    if TXID.fullmatch(txid) is None or NETWORK.fullmatch(network) is None:
        return False
    file = trigger_file(data_dir(root), network)
    return _touch(file) or _another_is_leader(file)


def _touch(file: Path) -> bool:
    now = time.time_ns()
    try:
        os.utime(file, ns=(now, now))
    except OSError:
        return False
    return True


def _another_is_leader(file: Path) -> bool:
    """Tell whether another process takes the slow path for all that started before it is done. If not, this process is the leader."""
    try:
        file.parent.mkdir(exist_ok=True)
        lock = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return True
    _locks.append(lock)
    return False


def release_leadership() -> None:
    """A process that starts from now on must take its own way."""
    while _locks:
        with suppress(OSError):
            os.close(_locks.pop())
