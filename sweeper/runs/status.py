"""How a run stands, as records, tables and the live table name it."""

from enum import Enum


class Status(str, Enum):
    """A run's status. Its text is what `run.json` and `results.csv` hold, in any format and comparison.

    >>> f"{Status.COMPLETED}", str(Status.COMPLETED), Status("completed") is Status.COMPLETED
    ('completed', 'completed', True)
    """

    # What `run.json` records.
    RUNNING = "running"
    COMPLETED = "completed"
    DIVERGED = "diverged"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"
    # What readers of a folder of runs say of one beside that.
    DAMAGED = "damaged"
    WAITING = "waiting"
    # What a process answers that was to train a run and did not.
    LOCKED = "locked"
    NOT_STARTED = "not started"
    PASSED_OVER = "passed over"

    __str__ = str.__str__

    @property
    def finished(self) -> bool:
        """Whether the run is a result: it is answered from disk, and never trained again but by `rerun=true`."""
        return self in (Status.COMPLETED, Status.DIVERGED)

    @property
    def settled(self) -> bool:
        """Whether the run has come to its end in this sweep, as a result or not."""
        return self.finished or self in (Status.FAILED, Status.PRUNED)

    @property
    def goes_on(self) -> bool:
        """Whether the same command continues the run from its checkpoint, once no process trains it."""
        return self in (Status.RUNNING, Status.INTERRUPTED)


RECORDED = (
    Status.RUNNING,
    Status.COMPLETED,
    Status.DIVERGED,
    Status.FAILED,
    Status.INTERRUPTED,
    Status.PRUNED,
)
