"""The host's time where a device computes nothing and is never late; `python -m benchmarks.host --idle` runs it.

It imports sweeper alone, so that another checkout can be measured by the same code.
"""

import contextlib
import cProfile
import io
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from unittest import mock

BURST = 104  # steps in a burst, as many as of 143 µs on an H200, digits' MLP
WARM_UP, EPOCHS = 5, 105
OPTIMIZERS = ("sgd", "adam", "adamw", "lion", "muon")


class _NoGraph:
    def replay(self) -> None: ...


@contextlib.contextmanager
def idle_device() -> Iterator[None]:
    """A context in which runs on the CPU behave as on a GPU, several at a time, without computing anything.

    A run's first step is real, which creates the optimizer's state.
    """
    from sweeper.engine import training
    from sweeper.engine.devices import Device
    from sweeper.engine.evaluate import Evaluation
    from sweeper.engine.graphs import WHOLE, GraphedStep, Recording
    from sweeper.engine.pace import Pace
    from sweeper.train.launchers.cuda_lane import Cuda
    from sweeper.train.launchers.lanes import Host

    class IdleStep(GraphedStep):
        def _try_out(self, size: int) -> str:
            return WHOLE

        def _record(self, size: int) -> None:
            self._recordings[size] = Recording(_NoGraph(), None, False)  # type: ignore[arg-type]

    burst: Any = property(lambda pace: BURST, lambda pace, measured: None)
    with (
        mock.patch.object(Device, "graphs", True),
        mock.patch.object(training, "GraphedStep", IdleStep),
        mock.patch.object(Evaluation, "measure", lambda evaluation: setattr(evaluation, "_graph", _NoGraph())),
        mock.patch.object(Pace, "burst", burst, create=True),
        mock.patch.object(Host, "several", True),
        mock.patch.object(Host, "__init__", Cuda.__init__),
        mock.patch.object(Host, "collect", Cuda.collect),
    ):
        yield


class Watch:
    """What the main thread spends between the first epochs of all runs and the end of the first run."""

    def __init__(self, lanes: int, profiler: cProfile.Profile | None) -> None:
        self.lanes, self.profiler = lanes, profiler
        self.rows, self.begun = Counter[int](), set[int]()
        self.turns = self.epochs = 0
        self.seconds = defaultdict[str, float](float)

    def counts(self, scheduler: Any) -> bool:
        return self._is_warm() and not scheduler.outcomes

    def _is_warm(self) -> bool:
        return len(self.rows) == self.lanes and min(self.rows.values()) >= WARM_UP

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        from sweeper.train.attempt import Attempt
        from sweeper.train.launchers.lanes import Lanes

        round_of, advance, end, show = Lanes.round, Lanes._advance, Lanes._end, Attempt._show

        def timed_round(scheduler: Any, chosen: Any) -> None:
            counted, began = self.counts(scheduler), time.thread_time()
            with self.profiler if counted and self.profiler is not None else contextlib.nullcontext():
                round_of(scheduler, chosen)
            if counted and not scheduler.outcomes:
                self.seconds["rounds"] += time.thread_time() - began

        def counted_advance(scheduler: Any, lane: Any) -> None:
            self.turns += self.counts(scheduler)
            advance(scheduler, lane)
            self.begun.add(lane.number)
            if len(self.begun) == self.lanes:
                self.seconds.setdefault("set-up", time.process_time())

        def timed_end(scheduler: Any, lane: Any, outcome: Any) -> None:
            began = time.thread_time()
            end(scheduler, lane, outcome)
            self.seconds["ends"] += time.thread_time() - began

        def counted_show(attempt: Any, row: dict[str, Any]) -> None:
            self.epochs += self._is_warm()
            self.rows[id(attempt)] += 1
            show(attempt, row)

        with (
            mock.patch.object(Lanes, "round", timed_round),
            mock.patch.object(Lanes, "_advance", counted_advance),
            mock.patch.object(Lanes, "_end", timed_end),
            mock.patch.object(Attempt, "_show", counted_show),
        ):
            yield


def sweep(lanes: int, profiler: cProfile.Profile | None = None) -> Watch:
    """Train digits' MLP by the command, by so many optimizers at the same time."""
    from sweeper.train.command import _train

    watch, nowhere = Watch(lanes, profiler), io.StringIO()
    words = ["-m", "dataset=digits", "model=mlp", "device=cpu", "device.threads=1", "seed=1", f"epochs={EPOCHS}"]
    words += [f"optimizer={','.join(OPTIMIZERS[:lanes])}", "hydra/launcher=packed", f"hydra.launcher.lanes={lanes}"]
    with (
        tempfile.TemporaryDirectory() as outputs,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        _once_torch_is_there(watch),
    ):
        if code := _train([*words, "save_model=false", f"outputs={outputs}"]):
            raise SystemExit(f"{code}: {nowhere.getvalue()}")
    return watch


@contextlib.contextmanager
def _once_torch_is_there(watch: Watch) -> Iterator[None]:
    """Put the idle device in place when the launcher begins, so that the command imports what it does by itself."""
    from sweeper.train.launchers import packed

    with contextlib.ExitStack() as stack:
        advance = packed.advance_in_lanes

        def advance_idly(*arguments: Any) -> Any:
            stack.enter_context(idle_device())
            stack.enter_context(watch.at_work())
            return advance(*arguments)

        stack.enter_context(mock.patch.object(packed, "advance_in_lanes", advance_idly))
        yield


def measure(lanes: int) -> dict[str, float]:
    """The first sweep of this process, and a second one whose calls are counted.

    Returns:
        setup_s: CPU time of the process until each run has had its first turn, in seconds.
        turns: of an epoch of a run.
        epoch_us: the main thread's CPU time for an epoch of a run, with what lies between turns, in microseconds.
        calls: Python's calls in it.
        end_ms: CPU time at a run's end, when its memory is freed, in milliseconds.
    """
    watch, profiler = sweep(lanes), cProfile.Profile()
    again = sweep(lanes, profiler)
    return {
        "setup_s": watch.seconds["set-up"],
        "turns": watch.turns / watch.epochs,
        "epoch_us": 1e6 * watch.seconds["rounds"] / watch.epochs,
        "calls": sum(entry.callcount for entry in profiler.getstats()) / again.epochs,
        "end_ms": 1e3 * watch.seconds["ends"] / lanes,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
