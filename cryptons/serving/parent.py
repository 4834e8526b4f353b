"""Let a child process end with the process that started it."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From Linux's <sys/prctl.h>."""


def end_with_parent() -> None:
    """Ask for SIGTERM when the parent process dies, even by SIGKILL. Works on Linux; on other systems it does nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
