"""A process's end, which waits for no thread that a run has left behind."""

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Collection

PATIENCE = 2.0  # seconds that such threads get to come to their own end

_lock = threading.Lock()
_exit_code = 0
_awaited = False


def outlive_threads(before: Collection[threading.Thread] = ()) -> str:
    """Have this process end though threads run that Python would wait for. Returns the names of those not in `before`.

    Its files must be written when its main thread ends: the threads are then cut off.
    """
    left = [thread for thread in _remaining() if thread not in before]
    if left:
        _await_end()
    return ", ".join(thread.name for thread in left)


def end_with(exit_code: int) -> int:
    """To be called last by a command: `exit_code`, also of a process that threads would keep. Returns it."""
    global _exit_code  # noqa: PLW0603  # a process has one
    _exit_code = exit_code
    outlive_threads()
    return exit_code


def _remaining() -> list[threading.Thread]:
    """The threads that Python waits for."""
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
