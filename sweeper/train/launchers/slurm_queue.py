"""Watches a sweep's jobs in Slurm's queue, and cancels the pending ones when the sweep is stopped."""

import subprocess
import time
from collections.abc import Callable, Sequence

from hydra.core.utils import JobReturn
from submitit.core.utils import UncompletedJobError
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

from sweeper.runs.sweep_files import SweepStop

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
LOOK_EVERY = 30  # seconds between two calls of squeue, fewer at first


def wait_in_queue(launch: Callable[[], Sequence[JobReturn]]) -> Sequence[JobReturn]:
    """Launch by submitit and wait until no job is left in the queue.

    A job that was cancelled or lost its node doesn't end the sweep: each run's record says how the run ended.
    """
    SlurmJob.watcher = queue = Queue()
    try:
        return launch()
    except UncompletedJobError:
        queue.wait_for_all()
        return []


class Queue(SlurmInfoWatcher):
    """Reads the states of a sweep's jobs from `squeue`. Submitit uses `sacct`, whose database many clusters lack.

    When the sweep is stopped, pending jobs are cancelled; running ones detect the stop themselves.
    """

    def __init__(self) -> None:
        super().__init__(delay_s=LOOK_EVERY)
        self._stop = SweepStop.current()
        self._cancelled = False

    def _make_command(self) -> list[str] | None:
        if not (jobs := self._jobs(self._registered - self._finished)):
            return None
        return ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", f"--jobs={jobs}"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        text = string if isinstance(string, str) else string.decode()
        states = dict(line.strip().split("|", 1) for line in text.splitlines() if "|" in line)
        missing = self._registered - self._finished - set(states)  # squeue forgets a job some minutes after its end
        return {job: {"State": states.get(job, "COMPLETED")} for job in {*states, *missing}}

    def update(self) -> None:
        """Call `squeue` once. A job that it no longer lists has ended; if the call fails, the states stay the same."""
        if (command := self._make_command()) is None:
            return
        self._num_calls += 1
        answer = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if answer.returncode == 0 or "Invalid job id" in answer.stderr:
            self._info_dict.update(self.read_info(answer.stdout))
        self._last_status_check = time.time()
        self._finished |= {job for job in self._registered if self.is_done(job, mode="cache")}

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        if self._stop is not None and self._stop.requested() and not self._cancelled:
            self._cancelled = True
            jobs = self._jobs(self._registered)
            subprocess.run(["scancel", "--state=PENDING", *jobs.split(",")], capture_output=True, check=False)
            mode = "force"
        return self.get_state(job_id, mode=mode) in ENDED

    def wait_for_all(self) -> None:
        while not all(self.is_done(job) for job in sorted(self._registered)):
            time.sleep(1)

    @staticmethod
    def _jobs(registered: set[str]) -> str:
        return ",".join(sorted({job.split("_")[0] for job in registered}))
