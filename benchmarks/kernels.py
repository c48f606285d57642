"""`python -m benchmarks.kernels`: what a GPU does in a training step while several runs share it.

Trains ResNet-18 on made images of CIFAR-10's shapes in lanes, optimizers mixed, until every lane has begun its second
epoch; then records each kernel for half a second of training. Kernels of different lanes overlap, so two times are
given, both in microseconds a step of one run: `duration`, from a kernel's begin to its end, and `share`, its part of
the wall time, where n kernels that run at once count 1/n each. The shares and the time in which nothing runs add up to
the wall time. What follows the options are overrides for sweeper, e.g. model=resnet20.
"""

import functools
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.command_line import Parser, count
from benchmarks.figures import write_csv
from benchmarks.host import MADE
from benchmarks.scaling import OPTIMIZERS
from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device, prepare_process
from sweeper.engine.loop import train
from sweeper.runs.directory import RunDirectory
from sweeper.system.command import exit_code_of
from sweeper.system.machine import cores
from sweeper.train.launchers.cuda_lane import Cuda
from sweeper.train.launchers.lanes import Lanes

RECORDED = 0.5  # seconds
IDLE = "nothing runs"
COLUMNS = ("kind", "kernel", "launches", "duration_us", "share_us", "lanes", "step_us", "device", "torch")
BATCH_NORM = ("statistics_kernel", "normalize_kernel", "gradient_sums_kernel", "input_gradient_kernel")
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (  # the first with a part of the kernel's name
    ("batch norm, ReLU, residuals", BATCH_NORM),
    ("convolutions: weight gradients", ("wgrad", "gradient_kernel", "sum_kernel")),
    ("convolutions: input gradients", ("dgrad",)),
    ("convolutions: forward", ("fprop", "convol")),
    ("workspaces and zeros", ("workspace", "memset", "fill")),
    ("casts and copies", ("copy", "memcpy")),
    ("augmentation", ("take_kernel",)),
    (
        "optimizers",
        ("multi_tensor", "lion", "adam", "direction_kernel", "scale_kernel", "symmetric_kernel", "apply_kernel"),
    ),
    ("classifier and loss", ("gemm", "gemv", "nvjet", "cutlass", "softmax", "loss", "reduce")),
)
OTHER = "other"

Span = tuple[str, float, float]  # a kernel's name, its begin and its end in microseconds


@dataclass
class Cost:
    """A kernel's launches, durations and shares of the wall time, in microseconds."""

    launches: float = 0
    duration: float = 0.0
    share: float = 0.0


def main() -> None:
    parser = Parser("kernels", __doc__)
    parser.add_argument("--lanes", type=count, default=5, help="default: %(default)s")
    parser.add_argument("--optimizers", type=lambda text: text.split(","), default=list(OPTIMIZERS))
    parser.add_csv()
    parser.add_argument("overrides", nargs="*", help="for sweeper")
    arguments = parser.parse_intermixed_args()
    names = [arguments.optimizers[k % len(arguments.optimizers)] for k in range(arguments.lanes)]
    cells = [
        compose_grid([*MADE, *arguments.overrides, f"optimizer={name}", "epochs=20", "save_model=false"]).cells[0]
        for name in names
    ]
    if not torch.cuda.is_available():
        parser.error("needs a GPU with CUDA")
    prepare_process(cores())
    recorder = Recorder(arguments.lanes)
    train_in_lanes([cell.config for cell in cells], recorder)
    rows = table(recorder.spans, recorder.wall_us, recorder.steps)
    print_table(rows, recorder.wall_us / recorder.steps)
    if arguments.csv:
        step_us = f"{recorder.wall_us / recorder.steps:.2f}"
        facts = (arguments.lanes, step_us, torch.cuda.get_device_name(), torch.__version__)
        figures = [
            (kind, kernel, f"{cost.launches:.2f}", f"{cost.duration:.3f}", f"{cost.share:.3f}", *facts)
            for kind, kernel, cost in rows
        ]
        write_csv(arguments.csv, COLUMNS, (dict(zip(COLUMNS, line, strict=True)) for line in figures))


class Recorded(Exception):
    """Enough has been recorded."""


class Recorder:
    """Records kernels as soon as all lanes are past their first epoch.

    Attributes:
        spans: the kernels.
        wall_us: the time they were recorded in, microseconds.
        steps: the steps of all runs that were done in that time.
    """

    def __init__(self, lanes: int) -> None:
        self.spans: list[Span] = []
        self.wall_us, self.steps = 0.0, 0
        self._epochs = [0] * lanes
        self._profile: Any = None
        self._begun = 0.0

    def end_epoch(self, lane: int) -> None:
        self._epochs[lane] += 1

    def count(self, steps: int) -> None:
        """Called before each turn with the steps of the one before.

        Raises:
            Recorded: when it has enough.
        """
        if self.spans:
            raise Recorded
        if self._profile is None:
            if all(self._epochs):
                torch.cuda.synchronize()
                self._profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
                self._profile.start()
                self._begun = time.perf_counter()
            return
        self.steps += steps
        if time.perf_counter() - self._begun > RECORDED:
            torch.cuda.synchronize()
            self.wall_us = 1e6 * (time.perf_counter() - self._begun)
            self._profile.stop()
            self.spans = [
                (event.name, event.time_range.start, event.time_range.end)
                for event in self._profile.events()
                if event.device_type.name == "CUDA" and not event.name.startswith(("gpu_user", "Context"))
            ]
            raise Recorded


def train_in_lanes(configs: list[dict[str, Any]], recorder: Recorder) -> None:
    device = choose_device(configs[0]["device"], cores())
    with tempfile.TemporaryDirectory() as folder:

        def begin(k: int) -> Generator[Any, None, None]:
            own = configs[k]
            loop = train(
                own,
                load_run_data(own),
                device,
                RunDirectory(Path(folder) / str(k)),
                [],
                lambda row: recorder.end_epoch(k),
                {},
            )
            for turn in loop:
                recorder.count(turn.steps)
                yield turn

        starts = ((k, functools.partial(begin, k)) for k in range(len(configs)))
        outcomes = Lanes(starts, Cuda(), len(configs)).run()
    for outcome in outcomes.values():
        if not isinstance(outcome, Recorded):
            raise outcome if isinstance(outcome, Exception) else RuntimeError("a run ended before it was recorded")


def table(spans: list[Span], wall_us: float, steps: int) -> list[tuple[str, str, Cost]]:
    """Rows of kind, kernel and its cost a step, largest share first; the last is the time in which nothing runs."""
    costs: dict[str, Cost] = defaultdict(Cost)
    for name, begin, end in spans:
        costs[name].launches += 1
        costs[name].duration += end - begin
    for name, share in shares(spans).items():
        costs[name].share = share
    costs[IDLE].share = wall_us - sum(cost.share for cost in costs.values())
    a_step = {name: Cost(c.launches / steps, c.duration / steps, c.share / steps) for name, c in costs.items()}
    order = sorted(a_step, key=lambda name: (name == IDLE, -a_step[name].share))
    return [(kind_of(name), name, a_step[name]) for name in order]


def shares(spans: Iterable[Span]) -> dict[str, float]:
    """Each kernel's part of the time in which any runs; n kernels at once count 1/n each."""
    edges = sorted(edge for name, begin, end in spans for edge in ((begin, 1, name), (end, -1, name)))
    running: dict[str, int] = defaultdict(int)
    found: dict[str, float] = defaultdict(float)
    before, total = 0.0, 0
    for at, change, name in edges:
        if total:
            for other, count in running.items():
                found[other] += (at - before) * count / total
        running[name] += change
        if not running[name]:
            del running[name]
        before, total = at, total + change
    return dict(found)


def kind_of(kernel: str) -> str:
    if kernel == IDLE:
        return IDLE
    return next((kind for kind, parts in KINDS if any(part in kernel.lower() for part in parts)), OTHER)


def print_table(rows: list[tuple[str, str, Cost]], step_us: float) -> None:
    kinds: dict[str, Cost] = defaultdict(Cost)
    for kind, _, cost in rows:
        whole = kinds[kind]
        whole.launches += cost.launches
        whole.duration += cost.duration
        whole.share += cost.share
    print("| kind | launches | duration µs | share µs | of the step |\n|---|---|---|---|---|")
    for kind, cost in sorted(kinds.items(), key=lambda item: -item[1].share):
        part = 100 * cost.share / step_us
        print(f"| {kind} | {cost.launches:.0f} | {cost.duration:.0f} | {cost.share:.0f} | {part:.1f} % |")
    print(f"| **all** | | | **{step_us:.0f}** | 100 % |")
    print("\n| kernel | launches | duration µs | share µs |\n|---|---|---|---|")
    for _, kernel, cost in rows[:30]:
        print(f"| {kernel[:90]} | {cost.launches:.1f} | {cost.duration:.1f} | {cost.share:.1f} |")


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
