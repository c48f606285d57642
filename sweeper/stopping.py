"""Asking runs to stop: signals to this process, and one file for all runs of a sweep wherever they run."""

import contextlib
import multiprocessing
import os
import signal
import time
import uuid
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # the last two: Slurm's warnings
VARIABLE = "SWEEPER_SWEEP"


class StopSignals:
    """Catches the signals of `SIGNALS` from when it is made; a second one ends the process and its workers at once,
    but not a SIGTERM within a second of the first: `timeout` sends one to its child and one to the child's group.

    With `sweep`, which the process that started it gives, a signal stops all of its runs.
    """

    def __init__(self, sweep: "SweepStop | None" = None) -> None:
        self.received: int | None = None
        self._when = 0.0
        self._sweep = sweep
        for number in SIGNALS:
            signal.signal(number, self._receive)

    @classmethod
    def installed(cls) -> "StopSignals":
        """This process's own: its driver's if it has one, else new, as in a launcher's worker."""
        handler = signal.getsignal(signal.SIGTERM)
        owner = getattr(handler, "__self__", None)
        return owner if isinstance(owner, cls) else cls()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == self.received == signal.SIGTERM and time.monotonic() - self._when < 1:
            return
        if self.received is not None:
            for worker in multiprocessing.active_children():  # a launcher's, which would go on or wait for more
                with contextlib.suppress(OSError):
                    os.kill(worker.pid, signal.SIGKILL)  # type: ignore[arg-type]  # it was started
            os._exit(128 + number)
        self.received, self._when = number, time.monotonic()
        if self._sweep is not None:
            self._sweep.request("interrupted")

    @property
    def exit_code(self) -> int:
        return 128 + (self.received or signal.SIGINT)


def stop_file(outputs: Path, key: str) -> Path:
    return outputs / f".stop-{key}"


class SweepStop:
    """A file in the outputs folder: while it is there, no run of this sweep starts and those at work stop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._looked = 0.0
        self._there = False

    @staticmethod
    def begin(outputs: Path) -> "SweepStop":
        """A new sweep; children of this process, and workers that get its environment, belong to it."""
        os.environ[VARIABLE] = str(stop_file(outputs, uuid.uuid4().hex[:12]).resolve())
        return SweepStop(Path(os.environ[VARIABLE]))

    @staticmethod
    def current() -> "SweepStop | None":
        """The sweep that this process works for; None in a single run."""
        return SweepStop(Path(os.environ[VARIABLE])) if os.environ.get(VARIABLE) else None

    def request(self, why: str) -> None:
        with contextlib.suppress(OSError):
            self.path.write_text(why)

    def reason(self) -> str | None:
        try:
            return self.path.read_text()
        except OSError:
            return None

    def requested(self) -> bool:
        """Looks at the disk twice a second at most."""
        if not self._there and time.monotonic() - self._looked > 0.5:
            self._looked = time.monotonic()
            self._there = self.path.exists()
        return self._there

    @property
    def key(self) -> str:
        """Tells this sweep from others."""
        return self.path.name.removeprefix(".stop-")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.environ.pop(VARIABLE, None)
