"""A process that another one started and that must not outlive it."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From Linux's <sys/prctl.h>."""


def end_with_parent() -> None:
    """From now on this process gets SIGTERM when its parent dies, even of SIGKILL. Only Linux can do this; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
