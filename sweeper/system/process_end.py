"""Ends a process without waiting for threads that a run left behind."""

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Collection

PATIENCE = 2.0  # seconds that such threads get to end by themselves

_lock = threading.Lock()
_exit_code = 0
_awaited = False


def outlive_threads(before: Collection[threading.Thread] = ()) -> str:
    """Let this process end although non-daemon threads still run. Returns the names of those not in `before`.

    All files must be written before the main thread ends: the threads are killed then.
    """
    left = [thread for thread in _remaining() if thread not in before]
    if left:
        _await_end()
    return ", ".join(thread.name for thread in left)


def end_with(exit_code: int) -> int:
    """Call last in a command: the process ends with `exit_code` even if threads still run. Returns `exit_code`."""
    global _exit_code  # noqa: PLW0603  # a process has one
    _exit_code = exit_code
    outlive_threads()
    return exit_code


def ignore_ctrl_c() -> None:
    """Call once the result is known: a Ctrl-C while Python and its libraries end doesn't change the exit code."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _remaining() -> list[threading.Thread]:
    """The threads that Python waits for at its end."""
    return [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]


def _await_end() -> None:
    global _awaited  # noqa: PLW0603  # one thread is enough
    with _lock:
        if not _awaited:
            _awaited = True
            threading.Thread(target=_end_process, name="end of process", daemon=True).start()


def _end_process() -> None:
    threading.main_thread().join()  # returns when the main thread begins to wait for the others
    deadline = time.monotonic() + PATIENCE
    for thread in _remaining():
        thread.join(max(0.0, deadline - time.monotonic()))
    if not _remaining():
        return  # Python itself ends the process
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(_exit_code)
