"""The table of `sweeper.watch` beneath a sweep on a terminal, by a process of its own that owns the terminal meanwhile.

All processes of the sweep write their lines into a pipe in place of the terminal, and its reader hands them on to be
shown above the table; so a failure's line is never lost in it, whichever process tells it. `python -m
sweeper.train.live_table OUTPUTS` is that process: it gets the lines on its standard input, and ends with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

SHOWN = "SWEEPER_SHOWN"  # in the environment of a sweep's processes while there is a table
END = b"\0end of the table\n"
PATIENCE = 10.0  # seconds for the last lines to be shown

# Programs that take output for a terminal's, but not what moves the cursor up.
_NOTEBOOKS = ("JPY_PARENT_PID", "COLAB_RELEASE_TAG")

_show: "_Show | None" = None


def show_sweep(outputs: Path) -> None:
    """Begin to show the table, if standard error is a terminal that can."""
    global _show  # noqa: PLW0603  # a process has one terminal
    able = os.environ.get("TERM") not in ("dumb", "unknown") and not any(name in os.environ for name in _NOTEBOOKS)
    if not is_shown() and sys.stderr.isatty() and able:
        _show = _show or _Show()
        _show.begin(outputs)


def end_show() -> None:
    """Leave the table as it is, and give the terminal back. Without effect if none is shown."""
    if _show is not None:
        _show.end()


def is_shown() -> bool:
    return SHOWN in os.environ


class _Show:
    """The pipe in place of the terminal, once for a process: a launcher's workers may keep it for ever."""

    def __init__(self) -> None:
        self._terminal = os.dup(2)
        self._reading, self._writing = os.pipe()
        self._table: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._hand_on, name="lines above the table", daemon=True).start()

    def begin(self, outputs: Path) -> None:
        command = [sys.executable, "-m", "sweeper.train.live_table", str(outputs)]
        self._ended.clear()
        self._table = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._terminal, stderr=self._terminal)
        os.environ[SHOWN] = "1"
        sys.stderr.flush()
        os.dup2(self._writing, 2)

    def end(self) -> None:
        if self._table is None:
            return
        sys.stderr.flush()
        os.dup2(self._terminal, 2)
        os.environ.pop(SHOWN, None)
        os.write(self._writing, END)
        self._ended.wait(PATIENCE)
        try:
            self._table.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._table.kill()
        self._table = None

    def _hand_on(self) -> None:
        """In the thread: every line to the table, or to the terminal where there is none any more."""
        while content := os.read(self._reading, 65536):
            lines, end, after = content.partition(END)
            self._write(lines)
            if end:
                if self._table is not None and self._table.stdin is not None:
                    with contextlib.suppress(OSError):
                        self._table.stdin.close()
                self._ended.set()
                self._write(after)

    def _write(self, lines: bytes) -> None:
        if not lines:
            return
        if self._table is not None and self._table.stdin is not None and not self._table.stdin.closed:
            with contextlib.suppress(OSError):
                self._table.stdin.write(lines)
                self._table.stdin.flush()
                return
        with contextlib.suppress(OSError):
            os.write(self._terminal, lines)


def main() -> int:
    """The process that shows. Signals of the terminal are for the sweep, which ends it by the end of its input."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    from rich.console import Console

    from sweeper.watch.command import show_live
    from sweeper.watch.load import Machine
    from sweeper.watch.overview import Watcher

    console, ended = Console(highlight=False), threading.Event()
    threading.Thread(target=_show_lines, args=(sys.stdin.buffer, console, ended), daemon=True).start()
    show_live(Watcher(sys.argv[1:]), Machine(), console, ended.wait)
    return 0


def _show_lines(lines: IO[bytes], console: object, ended: threading.Event) -> None:
    from rich.console import Console
    from rich.text import Text

    from sweeper.system.text import printable

    assert isinstance(console, Console)
    for line in lines:
        console.print(Text(printable(line.decode(errors="replace").rstrip("\r\n"))), soft_wrap=True)
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
