"""`python -m benchmarks.stacked`: whether lanes of a small network would train faster as one stacked network.

It times steps of N networks with seeds and batches of their own: forward pass in training mode, cross-entropy, backward
pass and SGD with the values of `conf/optimizer/sgd.yaml`. The ways are

    stacked    one CUDA graph of one network with stacked weights, by `torch.func.stack_module_state` and `vmap`
    nhwc       the same with the channels of all networks last in memory, for networks with convolutions
    streams    a CUDA graph of each network, on N streams side by side, as lanes do today
    sequence   the same graphs one after another on one stream

µs are of a step of one network, medians; host µs are what the host needs to hand it over, without waiting for the GPU.
The ratio is `streams` divided by the faster stacked way: above 1, stacking is faster. All ways have torch's operators
and none of our kernels, and batches stay as they are: augmentation and the engine's work in Python aren't timed.

Three layers are changed for `vmap`. Batch norm normalizes all networks in one call, as one network with N times as many
channels, and updates stacked running statistics in place; torch's own rule refuses bf16 with statistics in fp32. ReLU
isn't in place, which would copy gradients, and the mean over pixels doesn't query the memory format.

The difference is that of stacked and separate networks after three steps: of all weights and buffers of a network, by
the norm relative to the separate one's, the largest. In fp64, which isn't timed, beyond 1e-6, or after an error, the
exit code is 1. In fp32 (without TF32) and bf16 (by autocast) it isn't judged: rounding changes signs of ReLU's inputs
and by them gradients. Without CUDA steps run eagerly, one after another, and under `vmap` bf16 doesn't reach
convolutions: a rehearsal.
"""

import argparse
import contextlib
import functools
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.figures import add_csv, write_csv
from benchmarks.stacking import relative_differences, separate_step, stacked_step
from sweeper.config.grid import compose_grid
from sweeper.engine.build import NOT_OPTIONS, build_model
from sweeper.engine.devices import choose_device, prepare_process, synchronize
from sweeper.system.errors import first_line
from sweeper.system.machine import cores

WORK = {"mlp": ("digits", (1, 8, 8)), "cnn": ("digits", (1, 8, 8)), "resnet20": ("cifar10", (3, 32, 32))}
CLASSES = 10
STACKED = ("stacked", "nhwc")
WAYS = (*STACKED, "streams", "sequence")
PRECISIONS = ("bf16", "fp32", "fp64")
CHECKED, BOUND = 3, 1e-6  # steps; relative difference
REPEATS, SECONDS = 5, 0.05  # of timing a way, and about how long each takes
BURST = 8  # steps that the host hands over to a lane at a time
FIGURES = (*(f"{way}_us" for way in WAYS), *(f"{way}_host_us" for way in WAYS), "ratio", "difference")
COLUMNS = ("model", "lanes", "batch_size", "precision", *FIGURES, "device", "torch", "date")

Row = dict[str, Any]
Call = Callable[[], None]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stacked", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(WORK), help="default: %(default)s")
    parser.add_argument("--lanes", default="5,1", help="numbers of networks; default: %(default)s")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--seconds", type=float, default=40, help="then no further row is begun; default: %(default)s")
    add_csv(parser)
    arguments = parser.parse_args()
    end, failures = time.perf_counter() + arguments.seconds, list[str]()
    kind = {"auto": "cuda" if torch.cuda.is_available() else "cpu"}.get(arguments.device, arguments.device)
    if kind == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: no GPU with CUDA here; use --device cpu")
    prepare_process(cores())
    print(f"| model | lanes | precision | {' | '.join(FIGURES).replace('_us', ' µs').replace('_', ' ')} |")
    print("|---" * (3 + len(FIGURES)) + "|", flush=True)

    def rows() -> Iterator[Row]:
        models, lanes = arguments.models.split(","), arguments.lanes.split(",")
        for model, count, precision in itertools.product(models, lanes, PRECISIONS):
            what = f"{model}, {count} lanes, {precision}"
            if time.perf_counter() > end:
                print(f"{what}: left out after {arguments.seconds:g} s", flush=True)
                continue
            row: Row = {}
            with reported(what, failures):
                measure(row, model, int(count), precision, kind, failures)
                if precision == "fp64" and not row.get("difference", 0.0) <= BOUND:
                    failures.append(f"{what}: stacked and separate networks differ")
            if row:
                figures = (f"{row[name]:.4g}" if name in row else "–" for name in FIGURES)
                print(f"| {model} | {count} | {precision} | {' | '.join(figures)} |", flush=True)
                yield row

    write_csv(arguments.csv or os.devnull, COLUMNS, rows())
    return int(bool(failures))


@contextlib.contextmanager
def reported(what: str, failures: list[str]) -> Iterator[None]:
    """Print an error in one line, so that what comes next gets its turn."""
    try:
        yield
    except Exception as error:  # compilers, drivers and the rules of vmap raise many kinds
        failures.append(f"{what}: {type(error).__name__}: {first_line(error)}")
        print(failures[-1], flush=True)


def measure(row: Row, model: str, lanes: int, precision: str, kind: str, failures: list[str]) -> None:
    """Fill the row; a way that fails has no figures."""
    dataset, shape = WORK[model]
    config = compose_grid([f"dataset={dataset}", f"model={model}", "optimizer=sgd", f"device={kind}"]).cells[0].config
    checks = precision == "fp64"  # the engine has no such precision
    device = choose_device({**config["device"], "precision": "fp32" if checks else precision}, cores())
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    where: Row = {"device": kind, "dtype": torch.float64 if checks else torch.float32}
    networks = [build_model(config["model"], shape, CLASSES, seed).to(**where) for seed in range(1, lanes + 1)]
    options = {key: value for key, value in config["optimizer"].items() if key not in NOT_OPTIONS}
    torch.manual_seed(0)
    images = torch.randn(lanes, config["batch_size"], *shape, **where)
    labels = torch.randint(CLASSES, images.shape[:2], device=kind)
    row |= {"model": model, "lanes": lanes, "batch_size": config["batch_size"], "precision": precision}
    row |= {"device": device.name, "torch": torch.__version__, "date": f"{datetime.now(timezone.utc):%Y-%m-%d}"}

    def time_way(way: str, replays: list[Call], run: Callable[[list[Call], int], None]) -> None:
        if not checks:
            seconds = time_rounds(lambda rounds: run(replays, rounds), kind)
            row[f"{way}_us"], row[f"{way}_host_us"] = (round(1e6 * value / lanes, 2) for value in seconds)

    ends: list[dict[str, Tensor]] = []  # stacked weights and buffers after the first steps
    has_convolutions = any(isinstance(module, nn.Conv2d) for module in networks[0].modules())
    for way in STACKED if has_convolutions else STACKED[:1]:
        with reported(f"{model}, {lanes} lanes, {precision}, {way}", failures):
            step = stacked_step(networks, images, labels, options, device, nhwc=way == "nhwc")
            replays = [step.record()]
            one_by_one(replays, CHECKED)
            ends.append({name: tensor.detach().clone() for name, tensor in step.tensors.items()})
            time_way(way, replays, one_by_one)
    with reported(f"{model}, {lanes} lanes, {precision}, separate networks", failures):
        steps = [separate_step(*own, options, device) for own in zip(networks, images, labels, strict=True)]
        replays = [step.record() for step in steps]
        one_by_one(replays, CHECKED)
        end = {name: torch.stack([step.tensors[name].detach() for step in steps]) for name in steps[0].tensors}
        if ends:
            row["difference"] = torch.cat([relative_differences(one, end) for one in ends]).max().item()
        time_way("sequence", replays, one_by_one)
        time_way("streams", replays, side_by_side)
    stacked = [row[f"{way}_us"] for way in STACKED if f"{way}_us" in row]
    if stacked and "streams_us" in row:
        row["ratio"] = round(row["streams_us"] / min(stacked), 3)


def one_by_one(replays: list[Call], rounds: int) -> None:
    for _ in range(rounds):
        for replay in replays:
            replay()


def side_by_side(replays: list[Call], rounds: int) -> None:
    """A burst of steps on each one's stream in turn, as the engine hands them over."""
    for begin in range(0, rounds, BURST):
        for replay, stream in zip(replays, _streams(len(replays)), strict=True):
            with stream:
                for _ in range(min(BURST, rounds - begin)):
                    replay()


@functools.cache
def _streams(count: int) -> list[contextlib.AbstractContextManager[Any]]:
    on_cuda = torch.cuda.is_available()
    return [torch.cuda.stream(torch.cuda.Stream()) if on_cuda else contextlib.nullcontext() for _ in range(count)]


def time_rounds(run: Callable[[int], None], kind: str) -> tuple[float, float]:
    """Seconds of a round, and those in which the host hands it over; medians."""
    run(1)
    synchronize(kind)
    begun = time.perf_counter()
    run(1)
    synchronize(kind)
    rounds = max(1, round(SECONDS / (time.perf_counter() - begun)))
    burst = min(BURST, rounds)
    seconds, host = [], []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run(burst)
        host.append((time.perf_counter() - begun) / burst)
        run(rounds - burst)
        synchronize(kind)
        seconds.append((time.perf_counter() - begun) / rounds)
    return statistics.median(seconds), statistics.median(host)


if __name__ == "__main__":
    sys.exit(main())
