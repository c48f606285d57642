"""`python -m benchmarks.step [overrides]`: one training step of the engine, on made images of CIFAR-10's shapes.

Prints seconds of an epoch's full batches (the best of three), milliseconds of an evaluation, set-up, memory and the
tier of its CUDA graph; `--profile` also the kernels of a step. Variants are overrides, e.g. `optimizer=muon`,
`batch_size=1024`, `device.deterministic=true`, `device.compile=true`, `device.precision=fp16`; and a model as a user
has it, torchvision's ResNet-18 with a 3×3 stem: `model._target_=benchmarks.made.torchvision_resnet18`. `--recipe` shows
what each of `label_smoothing`, `clip_grad_norm`, `ema` and `drop_last` costs, and `--textbook` the same run with the
optimizer's own step in place of our kernels.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.command_line import Parser
from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device, prepare_process
from sweeper.engine.meter import Clock
from sweeper.engine.training import build_training
from sweeper.system.command import exit_code_of
from sweeper.system.errors import BadInput
from sweeper.system.machine import cores

WARM_UP = 4  # steps: the first is eager, then the graph is recorded
PROFILED = 20
BURST = 8  # steps
ROUNDS = 3
IMAGES = ("dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes")
RECIPE = ["label_smoothing=0.1", "clip_grad_norm=1", "ema=0.999", "drop_last=true"]


def main() -> None:
    parser = Parser("step", __doc__)
    parser.add_argument("--profile", action="store_true", help="also print the kernels that take the longest")
    parser.add_argument(
        "--recipe", action="store_true", help="also each option of the recipe, and all of them together"
    )
    parser.add_argument("--textbook", action="store_true", help="also with the optimizer's own step, not our kernels")
    parser.add_argument("overrides", nargs="*", help="of sweeper.train")
    arguments = parser.parse_intermixed_args()
    variants: list[list[str]] = [[]]
    if arguments.recipe:
        variants += [*([option] for option in RECIPE), RECIPE]
    ways = (False, True) if arguments.textbook else (False,)
    runs = [[*arguments.overrides, *options] for options in variants]
    configs = [compose_grid([*IMAGES, *overrides]).cells[0].config for overrides in runs]  # before any is trained
    named = [" ".join(overrides) or "defaults" for overrides in runs]
    trainings = [Steps(*one, textbook) for one in zip(named, configs, strict=True) for textbook in ways]
    # In turn, so that a machine that other work slows down slows all of them down.
    seconds = [min(times) for times in zip(*([t.time_epoch() for t in trainings] for _ in range(ROUNDS)), strict=True)]
    print(trainings[0].device.line())
    for training, epoch in zip(trainings, seconds, strict=True):
        more = f", {100 * (epoch / seconds[0] - 1):+.1f} %" if training is not trainings[0] else ""
        print(f"{training.describe(epoch)}{more}")
        if arguments.profile:
            print_kernels(training.train, min(PROFILED, training.count))


class Steps:
    """A run's training steps with full batches, warmed up."""

    def __init__(self, words: str, config: dict[str, Any], textbook: bool = False) -> None:
        threads = config["device"]["threads"] or cores()
        prepare_process(threads)
        self.words = words + textbook * ", the optimizer's own step"
        self.batch_size = config["batch_size"]
        self.device = choose_device(config["device"], threads)
        data = load_run_data(config)
        begun = time.perf_counter()
        self.parts = build_training(config, data, self.device)
        if textbook:
            self.parts.step.fused_step = None
        self.count = self.parts.sizes.count(self.batch_size)
        if self.count < WARM_UP:
            raise BadInput(
                f"batch_size={self.batch_size}: an epoch has {self.count} full batches, and at least {WARM_UP} are "
                "needed; give a smaller batch_size or a larger dataset.train_limit"
            )
        self.parts.order.draw(config["seed"], epoch=1)
        self.train(WARM_UP)
        timed(self.train, WARM_UP, self.device.kind)
        self.setup = time.perf_counter() - begun

    def train(self, count: int) -> None:
        self.parts.model.train()
        self.parts.step.seek(0)
        done = 0
        while done < count:
            done += self.parts.bursts.run(1, done, most=min(BURST, count - done))

    def time_epoch(self) -> float:
        return timed(self.train, self.count, self.device.kind)

    def describe(self, epoch_seconds: float) -> str:
        evaluation = self.parts.evaluations["test"]
        self.parts.model.eval()
        for _ in range(2):
            evaluation.measure()
        evaluated = timed(lambda _: evaluation.measure(), 1, self.device.kind)
        return (
            f"{self.words}: {epoch_seconds:.3f} s/epoch, {self.count * self.batch_size / epoch_seconds:,.0f} images/s, "
            f"evaluation {1e3 * evaluated:.1f} ms, set-up {self.setup:.1f} s, tier: {self.parts.tier}"
        )


def timed(work: Callable[[int], None], count: int, kind: str) -> float:
    clock = Clock(kind)
    clock.start()
    work(count)
    clock.stop()
    return clock.read()


def print_kernels(train: Callable[[int], None], steps: int) -> None:
    with torch.profiler.profile() as profile:
        train(steps)
    kernels = [k for k in profile.key_averages() if k.device_time_total and k.device_type.name != "CPU"]
    total = sum(k.device_time_total for k in kernels) / steps / 1e3
    print(f"{total:.3f} ms of kernels a step, {sum(k.count for k in kernels) / steps:.0f} kernels")
    for k in sorted(kernels, key=lambda k: -k.device_time_total)[:30]:
        print(f"{k.device_time_total / steps / 1e3:8.4f} ms  × {k.count / steps:5.1f}  {k.key[:90]}")


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
