"""Stops runs: by signals to this process, and by a file for all runs of a sweep on any machine."""

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
from sweeper.system.lock import holds_any
from sweeper.system.parent import end_with_parent
from sweeper.system.terminal import heeded, leave_closed_terminal, tell

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)  # sent by Slurm before a time limit
STOPPING = "stopping: waiting for the runs to write what they have; Ctrl-C again doesn't wait"
SOONER_THAN_TYPED = 0.1  # seconds between two of Ctrl-C
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, *WARNINGS)


class StopSignals:
    """Catches the signals in `SIGNALS` once created; a SIGHUP that the process was started to ignore stays ignored.

    A second signal ends the process and its workers at once, with these exceptions. SIGTERM within a second of SIGTERM
    or SIGHUP, and SIGINT sooner after SIGINT than anyone types it: `timeout` sends one to its child and one to the
    child's group, and a session's end sends both. SIGHUP: a terminal that closes sends several.

    Args:
        sweep: in the process that started the sweep: a signal stops all of its runs.
        outlived: runs go on when the terminal is closed: SIGHUP isn't caught, and ends this process alone.
        of_command: in a command's own process, not a worker's: the first signal is answered by a line at once.
    """

    def __init__(self, sweep: "SweepStop | None" = None, outlived: bool = False, of_command: bool = False) -> None:
        self.received: int | None = None
        self._when = 0.0
        self._sweep = sweep
        self._of_command = of_command
        caught = [number for number in heeded(SIGNALS) if not (outlived and number == signal.SIGHUP)]
        self._before = {number: signal.signal(number, self._receive) for number in caught}

    @classmethod
    def installed(cls) -> "StopSignals":
        """This process's instance; a new one if it has none, as in a launcher's worker."""
        handler = signal.getsignal(signal.SIGTERM)
        owner = getattr(handler, "__self__", None)
        return owner if isinstance(owner, cls) else cls()

    @property
    def of_one_job(self) -> bool:
        """Whether this process is a submitit job: only the job is queued again, and its sweep continues."""
        return self._submitit_handler() is not None

    def requeue(self) -> None:
        """Call after a stop: pass the signal to submitit, which queues this job again and ends the process, unless the
        job was cancelled.

        Slurm sends SIGUSR2 before the time limit, and SIGTERM before a preemption and when it ends the job.
        """
        handler = self._submitit_handler()
        if handler is not None and self.received in (signal.SIGTERM, *WARNINGS) and _is_to_go_on():
            handler(self.received, None)

    def _submitit_handler(self) -> Callable[[int, FrameType | None], None] | None:
        """The handler that submitit had installed for its warning signal, whichever that is."""
        for handler in self._before.values():
            owner = getattr(handler, "__self__", None)
            if (requeue := getattr(owner, "checkpoint_and_try_requeue", None)) is not None:
                return cast(Callable[[int, FrameType | None], None], requeue)
        return None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_closed_terminal()
        if self.received is not None and self._is_of_one_stop(number):
            return
        if self.received is not None and self.of_one_job:  # Slurm sends several signals for one stop, SIGKILL last
            return
        if self.received is not None:
            for worker in multiprocessing.active_children():  # of a launcher, which would continue or wait
                with contextlib.suppress(OSError):
                    os.kill(worker.pid, signal.SIGKILL)  # type: ignore[arg-type]  # it has been started
            os._exit(128 + number)
        if self._of_command:
            _say_at_once(STOPPING)
        self.stop(number)

    def stop(self, number: int) -> None:
        """Stop this process's runs, and as the sweep's own process all of its runs, as if it had received a signal."""
        self.received, self._when = number, time.monotonic()
        if self._sweep is not None:
            self._sweep.request(Status.INTERRUPTED)

    def _is_of_one_stop(self, number: int) -> bool:
        if number == signal.SIGHUP:
            return True
        since = time.monotonic() - self._when
        if number == signal.SIGINT == self.received:
            return since < SOONER_THAN_TYPED
        return number == signal.SIGTERM and self.received in (signal.SIGTERM, signal.SIGHUP) and since < 1

    @property
    def exit_code(self) -> int:
        return 128 + (self.received or signal.SIGINT)


def _say_at_once(line: str) -> None:
    """Write a line to standard error from a signal's handler, which may interrupt another line's print."""
    before = "\n" if os.isatty(2) else ""  # after a bar, and the terminal's own ^C
    with contextlib.suppress(OSError):
        os.write(2, f"{before}{line}\n".encode())


def begin_worker(command: int) -> None:
    """Initialize a launcher's new process: handle stop signals, and end when the command's process ends.

    Its runs get some seconds to write their checkpoints. It ends then even if it is blocked, e.g. in a read.

    Args:
        command: the process id of the command, this process's parent.
    """
    signals = StopSignals()

    def stop() -> None:
        leave_closed_terminal()
        signals.stop(signal.SIGHUP)

    end_with_parent(command, stop, holds_any)


def _is_to_go_on() -> bool:
    """Whether Slurm still lists this job as running: a job that it ends is marked before the signals are sent."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or os.environ.get("SUBMITIT_EXECUTOR") != "slurm":
        return True
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    reason: object
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error
    else:
        if done.returncode == 0:
            return done.stdout.strip() == "RUNNING"
        reason = done.stderr.strip() or f"exit code {done.returncode}"
    tell(f"job {job} isn't queued again, as squeue doesn't tell whether it was cancelled: {reason}")
    return False
