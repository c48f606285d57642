"""Shows the table of `sweeper.watch` below a sweep's output on a terminal, in a separate process.

All processes of the sweep write to a pipe instead of the terminal; the separate process prints these lines above the
table, so that no error message is lost. That process is `python -m sweeper.train.live_table OUTPUTS`: it reads the
lines from its standard input and exits at its end.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from sweeper.system.terminal import exit_when_terminated, leave_closed_terminal

SHOWN = "SWEEPER_SHOWN"  # set in the environment of a sweep's processes while the table is shown
END = b"\0end of the table\n"
PATIENCE = 10.0  # seconds to wait for the last lines to be shown

# Programs that look like a terminal but can't move the cursor up.
_NOTEBOOKS = ("JPY_PARENT_PID", "COLAB_RELEASE_TAG")

_show: "_Show | None" = None


def show_sweep(outputs: Path) -> None:
    """Start to show the table, if standard error is a terminal that supports it."""
    global _show  # noqa: PLW0603  # a process has one terminal
    able = os.environ.get("TERM") not in ("dumb", "unknown") and not any(name in os.environ for name in _NOTEBOOKS)
    if not is_shown() and sys.stderr.isatty() and able:
        _show = _show or _Show()
        _show.begin(outputs)


def end_show() -> None:
    """Stop updating the table and restore the terminal. No effect if no table is shown."""
    if _show is not None:
        _show.end()


def is_shown() -> bool:
    return SHOWN in os.environ


class _Show:
    """The pipe that replaces the terminal. One per process, since a launcher's workers may keep it open."""

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
        leave_closed_terminal()
        os.environ.pop(SHOWN, None)
        os.write(self._writing, END)
        self._ended.wait(PATIENCE)
        try:
            self._table.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._table.kill()
        self._table = None

    def _hand_on(self) -> None:
        """Run in the thread: pass every line to the table's process or, if that has ended, to the terminal."""
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
    """The process that shows the table. It ignores the terminal's signals; the sweep ends it by closing its input."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    exit_when_terminated()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # its encoding may lack the marks
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
