"""`python -m benchmarks.host`: the host's share of a step, with bursts of steps and with single ones.

Each row is one run, or five in lanes, trained by the engine's loop: seconds of an epoch with its evaluation (in lanes,
the time of all divided by their epochs), seconds of its training by the run's own clock, and what the host spends on a
step in microseconds: seeding random generators, the schedule, handing graphs to the device, everything else in a turn,
an epoch's end included, what lies between turns, and waiting for the device. What follows the options are overrides for
sweeper, e.g. device.deterministic=true. The first epochs, in which graphs are recorded, don't count, nor does what comes
after the end of the first run.

With `--idle` a device that computes nothing stands in for the GPU, so that this runs anywhere: the command itself trains
digits' MLP, one run and five in lanes, and its main thread's CPU time is given, in microseconds an epoch of a run and a
turn, and in milliseconds where a run has ended and its memory is freed.
"""

import argparse
import csv
import functools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine import bursts, pace
from sweeper.engine.devices import choose_device, prepare_process
from sweeper.engine.graphs import Recording
from sweeper.engine.loop import train
from sweeper.engine.rates import Rates
from sweeper.runs.directory import RunDirectory
from sweeper.system.machine import cores
from sweeper.train.launchers.cuda_lane import Cuda, Host
from sweeper.train.launchers.lanes import Lanes

MADE = ("dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes")
# Overrides, epochs, and whether lanes are timed too: a ResNet-18 alone fills the device.
WORK: dict[str, tuple[tuple[str, ...], int, bool]] = {
    "digits mlp": (("dataset=digits", "model=mlp"), 60, True),
    "digits cnn": (("dataset=digits", "model=cnn"), 60, True),
    "resnet20": ((*MADE, "model=resnet20"), 5, True),
    "resnet18": ((*MADE, "model=resnet18"), 4, False),
}
WARM_UP = 2  # epochs
LANES = 5
PARTS = ("seeding", "schedule", "replay", "rest")
COLUMNS = ("work", "lanes", "bursts", "epoch_seconds", "train_seconds", "steps")
COLUMNS = (*COLUMNS, *(f"{part}_us" for part in PARTS), "tier", "device", "torch")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.host", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(WORK), help="default: %(default)s")
    parser.add_argument("--csv", metavar="FILE", help="also write the figures there")
    parser.add_argument("overrides", nargs="*", help="for sweeper")
    arguments = parser.parse_args()
    prepare_process(cores())
    rows: list[Row] = []
    print("| work | lanes | bursts | s/epoch | s of training | " + " | ".join(f"{part} µs" for part in PARTS) + " |")
    print("|---|---|---|---|---|" + "---|" * len(PARTS), flush=True)
    for work in arguments.only.split(","):
        overrides, epochs, in_lanes = WORK[work]
        config = (
            compose_grid([*overrides, *arguments.overrides, f"epochs={epochs}", "save_model=false"]).cells[0].config
        )
        for lanes in (1, LANES) if in_lanes and torch.cuda.is_available() else (1,):
            for single in (True, False) if torch.cuda.is_available() else (True,):
                with steps_one_by_one() if single else of_usual_length():
                    rows.append({"work": work, "bursts": "single" if single else "usual", **measure(config, lanes)})
                print(line(rows[-1]), flush=True)
    if arguments.csv:
        with open(arguments.csv, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@contextmanager
def steps_one_by_one() -> Iterator[None]:
    usual, pace.BURST = pace.BURST, 0.0
    try:
        yield
    finally:
        pace.BURST = usual


@contextmanager
def of_usual_length() -> Iterator[None]:
    yield


def measure(config: dict[str, Any], lanes: int) -> Row:
    """One row's figures: of runs with different seeds in lanes, or of one run without lanes."""
    device, spent, ends = choose_device(config["device"], cores()), Spent(), defaultdict[int, list[float]](list)
    found: dict[int, list[Row]] = {k: [] for k in range(lanes)}
    facts: Row = {}
    with tempfile.TemporaryDirectory() as folder, spent.watch():

        def begin(k: int) -> Generator[Any, None, None]:
            def show(row: Row) -> None:
                ends[k].append(time.perf_counter())
                if all(len(ends[other]) >= WARM_UP for other in range(lanes)) and not spent.counts:
                    spent.begin()

            run = RunDirectory(Path(folder) / str(k))
            own = {**config, "seed": k + 1}
            return spent.of_turns(train(own, load_run_data(own), device, run, found[k], show, facts))

        starts = ((k, functools.partial(begin, k)) for k in range(lanes))
        outcomes = Lanes(starts, Cuda() if device.kind == "cuda" else Host(), lanes).run()
        for outcome in outcomes.values():
            if isinstance(outcome, Exception):
                raise outcome
    begun = max(times[WARM_UP - 1] for times in ends.values())
    epochs = sum(sum(end > begun for end in times) for times in ends.values())
    seconds = (max(times[-1] for times in ends.values()) - begun) / epochs
    return {
        "lanes": lanes,
        "epoch_seconds": seconds,
        "train_seconds": statistics.median(row["train_seconds"] for rows in found.values() for row in rows[WARM_UP:]),
        "steps": found[0][0]["step"],
        **{f"{part}_us": us for part, us in spent.per_step().items()},
        "tier": facts["tier"],
        "device": device.name,
        "torch": torch.__version__,
    }


class Spent:
    """The host's seconds by part, from `begin` on."""

    def __init__(self) -> None:
        self.counts = False
        self._seconds: dict[str, float] = defaultdict(float)
        self._steps = 0

    def begin(self) -> None:
        self.counts = True

    def per_step(self) -> dict[str, float]:
        """Microseconds by part."""
        named = {part: self._seconds[part] for part in PARTS if part != "rest"}
        named["rest"] = self._seconds["all"] - sum(named.values())
        return {part: 1e6 * seconds / max(1, self._steps) for part, seconds in named.items()}

    @contextmanager
    def watch(self) -> Iterator[None]:
        """A context in which the parts are timed where the loop calls them."""
        places = (
            (bursts, "seed_layers", "seeding"),
            (Rates, "advance", "schedule"),
            (Rates, "keep", "schedule"),
            (Rates, "put", "schedule"),
            (Recording, "replay", "replay"),
        )
        before = [getattr(owner, name) for owner, name, _ in places]
        for owner, name, part in places:
            setattr(owner, name, self._timed(getattr(owner, name), part))
        try:
            yield
        finally:
            for (owner, name, _), function in zip(places, before, strict=True):
                setattr(owner, name, function)

    def of_turns(self, loop: Generator[Any, None, None]) -> Generator[Any, None, None]:
        """The loop's turns; what passes between two of them is the host's, waits for the device excepted."""
        advance = self._timed(functools.partial(next, loop, None), "all")
        while (turn := advance()) is not None:
            if self.counts:
                self._steps += turn.steps
            yield turn

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*args)
            finally:
                if self.counts:
                    self._seconds[part] += time.perf_counter() - begun

        return timed


def line(row: Row) -> str:
    cells = [row["work"], str(row["lanes"]), row["bursts"]]
    cells += [f"{row[name]:.4f}" for name in ("epoch_seconds", "train_seconds")]
    cells += [f"{row[name]:.1f}" for name in (f"{part}_us" for part in PARTS)]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
