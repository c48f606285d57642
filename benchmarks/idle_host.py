"""The host's time where a device computes nothing and is never late: by the command itself, on the CPU, in lanes."""

import contextlib
import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

from sweeper.engine import training
from sweeper.engine.devices import Device
from sweeper.engine.evaluate import Evaluation
from sweeper.engine.graphs import WHOLE, GraphedStep, Recording
from sweeper.engine.pace import Pace
from sweeper.train import command
from sweeper.train.attempt import Attempt
from sweeper.train.launchers.cuda_lane import Cuda, Host
from sweeper.train.launchers.lanes import Lanes

BURST = 104  # steps in a burst, as many as of 143 µs on an H200, digits' MLP
WARM_UP, EPOCHS = 5, 105


class _NoGraph:
    def replay(self) -> None: ...


def _record_nothing(evaluation: Evaluation) -> None:
    evaluation._graph = _NoGraph()  # type: ignore[assignment]


class _IdleStep(GraphedStep):
    """Its first step is real, which creates the optimizer's state."""

    def _try_out(self, size: int) -> str:
        return WHOLE

    def _record(self, size: int) -> None:
        self._recordings[size] = Recording(_NoGraph(), None, False)  # type: ignore[arg-type]


@contextlib.contextmanager
def idle_device() -> Iterator[None]:
    """A context in which runs on the CPU behave as on a GPU, without computing anything."""
    burst: Any = property(lambda pace: BURST, lambda pace, measured: None)
    with (
        mock.patch.object(Device, "graphs", True),
        mock.patch.object(training, "GraphedStep", _IdleStep),
        mock.patch.object(Evaluation, "measure", _record_nothing),
        mock.patch.object(Pace, "burst", burst, create=True),
        mock.patch.object(Host, "several", True),
        mock.patch.object(Host, "__init__", Cuda.__init__),
        mock.patch.object(Host, "collect", Cuda.collect),
    ):
        yield


def measure_idle(lanes: int) -> dict[str, float]:
    """What the main thread spends in a sweep of so many runs, all at the same time.

    Returns:
        turns_per_epoch: of a run.
        turn_us, epoch_us: CPU time of a turn and of a run's epoch, with what lies between turns, in microseconds.
        end_ms: CPU time at a run's end, when its memory is freed, in milliseconds.
    """
    rows, spent = Counter[int](), Counter[str]()
    round_of, advance, end, show = Lanes.round, Lanes._advance, Lanes._end, Attempt._show

    def counts(scheduler: Any) -> bool:
        return len(rows) == lanes and min(rows.values()) >= WARM_UP and not scheduler.outcomes

    def timed_round(scheduler: Any, chosen: Any) -> None:
        began, counted = time.thread_time(), counts(scheduler)
        round_of(scheduler, chosen)
        if counted and not scheduler.outcomes:
            spent["seconds"] += time.thread_time() - began  # type: ignore[assignment]

    def counted_advance(scheduler: Any, lane: Any) -> None:
        spent["turns"] += counts(scheduler)
        advance(scheduler, lane)

    def timed_end(scheduler: Any, lane: Any, outcome: Any) -> None:
        began = time.thread_time()
        end(scheduler, lane, outcome)
        spent["end"] += time.thread_time() - began  # type: ignore[assignment]

    def counted_show(attempt: Any, row: dict[str, Any]) -> None:
        spent["epochs"] += len(rows) == lanes and min(rows.values()) >= WARM_UP
        rows[id(attempt)] += 1
        show(attempt, row)

    seeds = ",".join(str(k + 1) for k in range(lanes))
    with (
        tempfile.TemporaryDirectory() as outputs,
        idle_device(),
        mock.patch.object(Lanes, "round", timed_round),
        mock.patch.object(Lanes, "_advance", counted_advance),
        mock.patch.object(Lanes, "_end", timed_end),
        mock.patch.object(Attempt, "_show", counted_show),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        words = ["-m", "dataset=digits", "model=mlp", "device=cpu", f"epochs={EPOCHS}", f"seed={seeds}"]
        options = ["hydra/launcher=packed", f"hydra.launcher.lanes={lanes}", "save_model=false", f"outputs={outputs}"]
        code = command._train([*words, *options])
    if code != 0:
        raise SystemExit(code)
    return {
        "turns_per_epoch": spent["turns"] / spent["epochs"],
        "turn_us": 1e6 * spent["seconds"] / spent["turns"],
        "epoch_us": 1e6 * spent["seconds"] / spent["epochs"],
        "end_ms": 1e3 * spent["end"] / lanes,
    }
