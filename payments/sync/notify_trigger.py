"""Run `manage.py notify_payment` without Django. A node starts it for each transaction of its wallets: thousands at once after a block.

If payments.sync.node_listener runs on this machine, it has left a file for each network in DATA_DIR. To touch that file is enough, and
Django, the settings and the queue are not loaded. If there is no listener, one of these processes takes the slow path for all of them.
Only Python's standard library may be imported here.
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
    """Return DATA_DIR as the settings would in the common cases. In other cases no file is there, and the hint takes the slow path."""
    given = os.environ.get("DATA_DIR", "")
    if not given and os.environ.get("CRYPTONS_DOTENV") != "off":
        try:
            match = _DATA_DIR.search((root / ".env").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            match = None
        given = match[2] if match else ""
    return Path(given) if given else root / "var"


def trigger(arguments: list[str], root: Path) -> bool:
    """Wake the follower, and return whether nothing is left to do. Otherwise the caller must take the slow path.

    The arguments must be a TXID, alone or with `--network`.
    """
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
    """Return whether another process takes the slow path for this one too. If not, this process becomes the leader."""
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
    """Give up the leadership: processes that start from now on need a leader of their own."""
    while _locks:
        with suppress(OSError):
            os.close(_locks.pop())
