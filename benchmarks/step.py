"""`python -m benchmarks.step [overrides]`: one training step of the engine, on made images of CIFAR-10's shapes.

Prints seconds of an epoch's full batches (the best of three), milliseconds of an evaluation, set-up, memory and the
tier of its CUDA graph; `--profile` also the kernels of a step. Variants are overrides, e.g. `optimizer=muon`,
`batch_size=1024`, `device.deterministic=true`, `device.compile=true`, `device.precision=fp16`.
"""

import argparse
import time
from collections.abc import Callable

import torch

from sweeper.augment import EpochOrder, build_batches
from sweeper.build import build_model, build_optimizer, build_schedule
from sweeper.compose import compose_grid
from sweeper.devices import choose_device, place, prepare_process
from sweeper.evaluate import Evaluation
from sweeper.graphs import GraphedStep
from sweeper.limits import cores
from sweeper.meter import Clock, Meter
from sweeper.prepare import load_run_data
from sweeper.step import Step

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
    where, batch_size = device.torch_device, config["batch_size"]

    begun = time.perf_counter()
    model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
    model, device = place(model, device)
    optimizer = build_optimizer(config["optimizer"], model, config["decay_norms_and_biases"])
    batches = build_batches(data, config["dataset"]["crop_padding"], config["dataset"]["flip"], where)
    steps = len(batches) // batch_size
    schedule = build_schedule(config["schedule"], optimizer, config["epochs"] * steps)
    order = EpochOrder(len(batches), batches.padding, where)
    meter = Meter([batch_size] * steps, data.corrupted, where)
    step = Step(model, optimizer, batches, order, meter, device, batch_size)
    run_step = GraphedStep(step) if device.graphs else step.run
    evaluation = Evaluation(data.test, model, batches.normalize, device)

    def train(count: int) -> None:
        for k in range(count):
            torch.manual_seed(k)
            run_step(batch_size)
            schedule.step()

    order.draw(config["seed"], epoch=1)
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
        f"tier: {getattr(run_step, 'tier', 'eager')}"
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
