"""Ends this process when its parent process has ended, however the parent ended."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

EVERY = 0.5  # seconds between two looks at the parent
PATIENCE = 10.0  # seconds for saving the work that is under way

_VARIABLE = "SWEEPER_PARENT"  # the process id of a command that has started another
_SET_PARENT_DEATH_SIGNAL = 1  # of Linux's prctl


def bound_to_this_process() -> dict[str, str]:
    """The environment for a command that is to end when this process has ended, see `end_with_command`."""
    return {**os.environ, _VARIABLE: str(os.getpid())}


def end_with_command() -> None:
    """Call in a command at its start. If another command started it, it stops, as by SIGTERM, when that one has
    ended."""
    parent = os.environ.pop(_VARIABLE, "")  # its own children have another parent
    if parent.isdecimal():
        end_with_parent(int(parent), lambda: os.kill(os.getpid(), signal.SIGTERM), busy=lambda: True)


def end_with_parent(parent: int, stop: Callable[[], None], busy: Callable[[], bool]) -> None:
    """Watch the parent process from a thread, so that a process that is blocked in a read ends too.

    When the parent has ended, the thread calls `stop`, and ends the process as soon as `busy` returns false, or after
    `PATIENCE` seconds.

    Args:
        parent: the parent's process id; it may have ended already.
    """
    if sys.platform == "linux":  # a suspended process continues when its parent ends, so that its thread sees it
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(signal.SIGCONT), 0, 0, 0)
    threading.Thread(target=_watch, args=(parent, stop, busy), name="end with parent", daemon=True).start()


def _watch(parent: int, stop: Callable[[], None], busy: Callable[[], bool]) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY)
    deadline = time.monotonic() + PATIENCE
    try:
        stop()
        while busy() and time.monotonic() < deadline:
            time.sleep(EVERY / 10)
    finally:
        os._exit(128 + signal.SIGHUP)
