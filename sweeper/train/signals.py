"""Asking runs to stop: signals to this process, and one file for all runs of a sweep wherever they run."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable
from types import FrameType
from typing import cast

from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # Slurm's, before a time limit
SIGNALS = (signal.SIGINT, signal.SIGTERM, *WARNINGS)


class StopSignals:
    """Catches the signals of `SIGNALS` from when it is made; a second one ends the process and its workers at once,
    but not a SIGTERM within a second of the first: `timeout` sends one to its child and one to the child's group.

    With `sweep`, which the process that started it gives, a signal stops all of its runs.
    """

    def __init__(self, sweep: "SweepStop | None" = None) -> None:
        self.received: int | None = None
        self._when = 0.0
        self._sweep = sweep
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    @classmethod
    def installed(cls) -> "StopSignals":
        """This process's own: its driver's if it has one, else new, as in a launcher's worker."""
        handler = signal.getsignal(signal.SIGTERM)
        owner = getattr(handler, "__self__", None)
        return owner if isinstance(owner, cls) else cls()

    @property
    def of_one_job(self) -> bool:
        """Whether this process is a job of submitit's: it alone is queued again, and its sweep goes on meanwhile."""
        return self._submitit_handler() is not None

    def requeue(self) -> None:
        """After a stop: hand the signal on to submitit, which queues this job again and ends the process, unless it was
        cancelled.

        A warning before the time limit is SIGUSR2; SIGTERM comes before a preemption, too, and when Slurm ends the job.
        """
        handler = self._submitit_handler()
        if handler is not None and self.received in (signal.SIGTERM, *WARNINGS) and _is_to_go_on():
            handler(self.received, None)

    def _submitit_handler(self) -> Callable[[int, FrameType | None], None] | None:
        """What submitit does at a warning; it was there before this, under whatever signal it was told to await."""
        for handler in self._before.values():
            owner = getattr(handler, "__self__", None)
            if (requeue := getattr(owner, "checkpoint_and_try_requeue", None)) is not None:
                return cast(Callable[[int, FrameType | None], None], requeue)
        return None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == self.received == signal.SIGTERM and time.monotonic() - self._when < 1:
            return
        if (
            self.received is not None and self.of_one_job
        ):  # one stop by Slurm comes as several signals, SIGKILL the last
            return
        if self.received is not None:
            for worker in multiprocessing.active_children():  # a launcher's, which would go on or wait for more
                with contextlib.suppress(OSError):
                    os.kill(worker.pid, signal.SIGKILL)  # type: ignore[arg-type]  # it was started
            os._exit(128 + number)
        self.received, self._when = number, time.monotonic()
        if self._sweep is not None:
            self._sweep.request(Status.INTERRUPTED)

    @property
    def exit_code(self) -> int:
        return 128 + (self.received or signal.SIGINT)


def _is_to_go_on() -> bool:
    """Whether Slurm still has this job running: one that it ends is marked before its signals are sent."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or os.environ.get("SUBMITIT_EXECUTOR") != "slurm":
        return True
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return answer.stdout.strip() == "RUNNING"
