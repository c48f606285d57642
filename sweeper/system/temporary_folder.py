"""Temporary folders that a Ctrl-C can't leave behind."""

import contextlib
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that goes with the block, also by an error or a Ctrl-C; a signal that ends the process leaves it.

    Between the folder and what removes it Python runs many lines, and removing it takes more: a Ctrl-C waits for both.
    """
    folder: tempfile.TemporaryDirectory[str] | None = None
    try:
        with _ctrl_c_later():
            folder = tempfile.TemporaryDirectory(prefix=prefix)
        yield Path(folder.name)
    finally:
        with _ctrl_c_later():
            if folder is not None:
                folder.cleanup()


@contextlib.contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """What SIGINT does here, it does at the block's end."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield  # only the main thread has handlers, and is interrupted
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
