"""`python -m benchmarks.step [overrides]`: one training step of the engine, on made images of CIFAR-10's shapes.

Prints seconds of an epoch's full batches (the best of three), milliseconds of an evaluation, set-up, memory and the
tier of its CUDA graph; `--profile` also the kernels of a step. Variants are overrides, e.g. `optimizer=muon`,
`batch_size=1024`, `device.deterministic=true`, `device.compile=true`, `device.precision=fp16`; and a model as a user
has it, torchvision's ResNet-18 with a 3×3 stem: `model._target_=benchmarks.made.torchvision_resnet18`.
"""

import argparse
import time
from collections.abc import Callable

import torch

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device, prepare_process
from sweeper.engine.meter import Clock
from sweeper.engine.training import build_training
from sweeper.system.machine import cores

WARM_UP = 4  # steps: the first is eager, then the graph is recorded
PROFILED = 20


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", action="store_true", help="also print the kernels that take the longest")
    parser.add_argument("overrides", nargs="*", help="of sweeper.train")
    arguments = parser.parse_args()
    overrides = ["dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes", *arguments.overrides]
    config = compose_grid(overrides).cells[0].config
    prepare_process(config["device"]["threads"] or cores())
    device = choose_device(config["device"], cores())
    data = load_run_data(config)
    batch_size = config["batch_size"]

    begun = time.perf_counter()
    parts = build_training(config, data, device)
    model, step, evaluation = parts.model, parts.step, parts.evaluations["test"]
    steps = parts.sizes.count(batch_size)

    def train(count: int) -> None:
        for k in range(count):
            torch.manual_seed(k)
            parts.run_step(batch_size)
            parts.schedule.step()

    parts.order.draw(config["seed"], epoch=1)
    step.seek(0)
    train(WARM_UP)
    timed(train, WARM_UP, device.kind)
    setup = time.perf_counter() - begun
    step.seek(0)
    seconds = min(timed(train, steps, device.kind) for _ in range(3))
    model.eval()
    for _ in range(2):
        evaluation.measure()
    evaluated = timed(lambda _: evaluation.measure(), 1, device.kind)
    print(device.line())
    print(
        f"{' '.join(arguments.overrides) or 'defaults'}: {seconds:.3f} s/epoch, "
        f"{steps * batch_size / seconds:,.0f} images/s, evaluation {1e3 * evaluated:.1f} ms, set-up {setup:.1f} s, "
        f"tier: {parts.tier}"
    )
    if arguments.profile:
        model.train()
        print_kernels(train)


def timed(work: Callable[[int], None], count: int, kind: str) -> float:
    clock = Clock(kind)
    clock.start()
    work(count)
    clock.stop()
    return clock.read()


def print_kernels(train: Callable[[int], None]) -> None:
    with torch.profiler.profile() as profile:
        train(PROFILED)
    kernels = [k for k in profile.key_averages() if k.device_time_total and k.device_type.name != "CPU"]
    total = sum(k.device_time_total for k in kernels) / PROFILED / 1e3
    print(f"{total:.3f} ms of kernels a step, {sum(k.count for k in kernels) / PROFILED:.0f} kernels")
    for k in sorted(kernels, key=lambda k: -k.device_time_total)[:30]:
        print(f"{k.device_time_total / PROFILED / 1e3:8.4f} ms  × {k.count / PROFILED:5.1f}  {k.key[:90]}")


if __name__ == "__main__":
    main()
