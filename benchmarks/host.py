"""`python -m benchmarks.host`: the host's share of a step, with bursts of steps and with single ones.

Each row is one run, or five in lanes, trained by the engine's loop: seconds of an epoch with its evaluation (in lanes,
the time of all divided by their epochs), seconds of its training by the run's own clock, and what the host spends on a
step in microseconds: seeding random generators, the schedule, handing graphs to the device, everything else in a turn,
an epoch's end included, what lies between turns, and waiting for the device. What follows the options are overrides for
sweeper, e.g. device.deterministic=true. The first epochs, in which graphs are recorded, don't count, nor does what
comes after the end of the first run.

With `--idle` a device that computes nothing stands in for the GPU, so that it runs anywhere. The command itself trains
digits' MLP, one run and five in lanes, in a process each. Medians of the main thread's CPU time and of Python's calls
are given for an epoch of a run, CPU time for a run's end and for the set-up, until each run has had its first turn.
`--beside FOLDER` measures another checkout in turn, such as that of an earlier commit, and prints ratios.
"""

import argparse
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from benchmarks.command_line import Parser, count, folder, some_of
from benchmarks.figures import write_csv
from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine import bursts, pace
from sweeper.engine.devices import choose_device, prepare_process
from sweeper.engine.graphs import Recording
from sweeper.engine.loop import train
from sweeper.engine.rates import Rates
from sweeper.runs.directory import RunDirectory
from sweeper.system.command import exit_code_of
from sweeper.system.machine import cores
from sweeper.train.launchers import lanes as lanes_module
from sweeper.train.launchers.cuda_lane import Cuda
from sweeper.train.launchers.lanes import Host, Lanes

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
ROUNDS = 3
PARTS = ("seeding", "schedule", "replay", "rest", "between", "waiting")
_OF_RUN = ("work", "lanes", "bursts", "epoch_seconds", "train_seconds", "steps")
COLUMNS = (*_OF_RUN, *(f"{part}_us" for part in PARTS), "tier", "device", "torch")
HEAD = f"| work | lanes | bursts | s/epoch | s of training | {' | '.join(f'{part} µs' for part in PARTS)} |\n"
HEAD += "|---" * (5 + len(PARTS)) + "|"
IDLE = ("setup_s", "turns", "epoch_us", "calls", "end_ms")
HERE = Path(__file__).resolve().parent

Row = dict[str, Any]


def main() -> None:
    arguments = parse_arguments()
    if arguments.idle:
        idle = idle_rows(arguments.beside, arguments.rounds or ROUNDS)
        print("\n".join(idle_table(idle)))
        if arguments.csv:
            write_csv(arguments.csv, ("checkout", "lanes", "round", *IDLE), idle)
        return
    prepare_process(cores())
    configs = {work: configure(work, arguments.overrides) for work in arguments.only or WORK}  # before any is trained
    rows: list[Row] = []
    for work, config in configs.items():
        for lanes in (1, LANES) if WORK[work][2] and torch.cuda.is_available() else (1,):
            for single in (True, False) if torch.cuda.is_available() else (True,):
                with steps_one_by_one() if single else nullcontext():
                    row = {"work": work, "bursts": "single" if single else "usual", **measure(config, lanes)}
                if not rows:
                    print(HEAD)
                rows.append(row)
                print(line(row), flush=True)
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)


def parse_arguments() -> argparse.Namespace:
    parser = Parser("host", __doc__)
    parser.add_argument("--only", type=some_of(list(WORK)), help=f"default: {','.join(WORK)}")
    parser.add_csv()
    parser.add_argument("--idle", action="store_true", help="let a device that computes nothing stand in for the GPU")
    parser.add_argument("--beside", type=folder, metavar="FOLDER", help="with --idle: another checkout to compare with")
    parser.add_argument("--rounds", type=count, help=f"with --idle: processes of each kind (default: {ROUNDS})")
    parser.add_argument("overrides", nargs="*", help="for sweeper")
    arguments = parser.parse_intermixed_args()
    if arguments.idle and (arguments.only or arguments.overrides):
        parser.error("--idle: trains digits' MLP as it is; leave out --only and overrides")
    if not arguments.idle and (arguments.beside or arguments.rounds):
        parser.error("--beside and --rounds: are of --idle; add it, or leave them out")
    if arguments.beside and not (arguments.beside / "sweeper" / "__init__.py").is_file():
        parser.error(f"--beside {arguments.beside}: is no checkout of sweeper")
    return arguments


def configure(work: str, overrides: list[str]) -> dict[str, Any]:
    """The configuration of a work's run.

    Raises:
        BadInput: an override is wrong.
    """
    own, epochs, _ = WORK[work]
    return compose_grid([*own, *overrides, f"epochs={epochs}", "save_model=false"]).cells[0].config


def idle_rows(beside: Path | None, rounds: int) -> list[Row]:
    """Rounds in which checkouts and numbers of lanes take turns."""
    trees = {"beside": beside.resolve(), "here": HERE.parent} if beside is not None else {"here": HERE.parent}
    rows: list[Row] = []
    for number in range(rounds):
        for (name, tree), lanes in itertools.product(trees.items(), (1, LANES)):
            command = [sys.executable, str(HERE / "idle_host.py"), str(lanes)]
            environment = {**os.environ, "PYTHONPATH": str(tree)}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True)
            rows.append({"checkout": name, "lanes": lanes, "round": number + 1, **json.loads(done.stdout)})
    return rows


def idle_table(rows: list[Row]) -> list[str]:
    """The rounds' medians and their ratios."""
    found = defaultdict[tuple[str, int], list[Row]](list)
    for row in rows:
        found[row["checkout"], row["lanes"]].append(row)
    middle = {key: [statistics.median(one[name] for one in ones) for name in IDLE] for key, ones in found.items()}
    table = ["| | lanes | set-up, s | turns an epoch | µs an epoch | calls an epoch | ms at a run's end |"]
    table += ["|---|---|---|---|---|---|---|"]
    table += [_idle_line(name, lanes, values) for (name, lanes), values in middle.items()]
    one, five = middle["here", 1], middle["here", LANES]
    table += [_idle_line("ratio", f"{LANES} to 1", [a / b for a, b in zip(five, one, strict=True)])]
    for lanes in (1, LANES) if ("beside", 1) in middle else ():
        both = zip(middle["here", lanes], middle["beside", lanes], strict=True)
        table += [_idle_line("ratio, here to beside", lanes, [a / b for a, b in both])]
    return table


def _idle_line(name: str, lanes: int | str, values: list[float]) -> str:
    return f"| {name} | {lanes} | {' | '.join(f'{value:.2f}' for value in values)} |"


@contextmanager
def steps_one_by_one() -> Iterator[None]:
    usual, pace.BURST = pace.BURST, 0.0
    try:
        yield
    finally:
        pace.BURST = usual


def measure(config: dict[str, Any], lanes: int) -> Row:
    """One row's figures: of runs with different seeds in lanes, or of one run without lanes."""
    device, spent, ends = choose_device(config["device"], cores()), Spent(), defaultdict[int, list[float]](list)
    found: dict[int, list[Row]] = {k: [] for k in range(lanes)}
    facts: Row = {}
    with tempfile.TemporaryDirectory() as folder, spent.watch():

        def begin(k: int) -> Generator[Any, None, None]:
            def show(row: Row) -> None:
                ends[k].append(time.perf_counter())
                spent.counts = all(WARM_UP <= len(ends[other]) < config["epochs"] for other in range(lanes))

            run = RunDirectory(Path(folder) / str(k))
            own = {**config, "seed": k + 1}
            return spent.of_turns(train(own, load_run_data(own), device, run, found[k], show, facts))

        starts = ((k, functools.partial(begin, k)) for k in range(lanes))
        place = Cuda() if device.kind == "cuda" else Host()
        outcomes = Lanes(starts, place, lanes, pause=spent.timed(time.sleep, "waiting")).run()
        for outcome in outcomes.values():
            if isinstance(outcome, Exception):
                raise outcome
    begun = max(times[WARM_UP - 1] for times in ends.values())
    ended = min(times[-1] for times in ends.values())
    epochs = sum(sum(begun < end <= ended for end in times) for times in ends.values())
    seconds = (ended - begun) / epochs
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
    """The host's seconds by part, while `counts` is true."""

    def __init__(self) -> None:
        self.counts = False
        self._seconds: dict[str, float] = defaultdict(float)
        self._steps = 0

    def per_step(self) -> dict[str, float]:
        """Microseconds by part."""
        named = {part: self._seconds[part] for part in PARTS}
        named["rest"] = self._seconds["all"] - sum(named[part] for part in ("seeding", "schedule", "replay"))
        named["between"] = self._seconds["rounds"] - self._seconds["all"] - self._seconds["waiting"]
        return {part: 1e6 * seconds / max(1, self._steps) for part, seconds in named.items()}

    @contextmanager
    def watch(self) -> Iterator[None]:
        """A context in which the parts are timed where the loop calls them."""
        places: tuple[tuple[Any, str, str], ...] = (
            (bursts, "seed_layers", "seeding"),
            (Rates, "advance", "schedule"),
            (Rates, "keep", "schedule"),
            (Rates, "put", "schedule"),
            (Recording, "replay", "replay"),
            (Lanes, "round", "rounds"),
            (lanes_module, "_wait", "waiting"),
        )
        before = [getattr(owner, name) for owner, name, _ in places]
        for owner, name, part in places:
            setattr(owner, name, self.timed(getattr(owner, name), part))
        try:
            yield
        finally:
            for (owner, name, _), function in zip(places, before, strict=True):
                setattr(owner, name, function)

    def of_turns(self, loop: Generator[Any, None, None]) -> Generator[Any, None, None]:
        """The loop's turns; what passes between two of them is the host's, waits for the device excepted."""
        advance = self.timed(functools.partial(next, loop, None), "all")
        while (turn := advance()) is not None:
            if self.counts:
                self._steps += turn.steps
            yield turn

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
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
    sys.exit(exit_code_of(main))
