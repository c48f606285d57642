"""The statuses of a run in records, tables and the live table."""

from enum import Enum


class Status(str, Enum):
    """A run's status. It formats and compares as the text in `run.json` and `results.csv`.

    >>> f"{Status.COMPLETED}", str(Status.COMPLETED), Status("completed") is Status.COMPLETED
    ('completed', 'completed', True)
    """

    # Recorded in `run.json`.
    RUNNING = "running"
    COMPLETED = "completed"
    DIVERGED = "diverged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    # Shown by commands that read a folder of runs, in place of a recorded status.
    DAMAGED = "damaged"
    WAITING = "waiting"
    # Returned by a process that was told to train a run and didn't train it.
    LOCKED = "locked"
    NOT_STARTED = "not started"
    PASSED_OVER = "passed over"

    __str__ = str.__str__

    @property
    def finished(self) -> bool:
        """Whether the run is a result, which is read from disk and trained again only with `rerun=true`."""
        return self in (Status.COMPLETED, Status.DIVERGED)

    @property
    def settled(self) -> bool:
        """Whether the run has ended in this sweep, with a result or without."""
        return self.finished or self in (Status.FAILED, Status.PRUNED)

    @property
    def goes_on(self) -> bool:
        """Whether the same command continues the run from its checkpoint, once no process trains it."""
        return self in (Status.RUNNING, Status.INTERRUPTED)


RECORDED = (Status.RUNNING, Status.COMPLETED, Status.DIVERGED, Status.FAILED, Status.INTERRUPTED, Status.PRUNED)
TOLD = (*RECORDED[1:], RECORDED[0], Status.DAMAGED)  # where runs of each status are counted, in this order
