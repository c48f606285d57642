"""`python -m benchmarks.peers`: seconds of a training epoch, of plain loops, Lightning and sweeper, on the same images.

One after another, each in a process of its own on an otherwise idle device:

    plain      two DataLoader workers, PIL transforms, fp32, the loss read at every step
    tuned      up to 12 workers that stay, pinned memory, bf16, channels_last, no short last batch; on CUDA also
               compiled: the faster one counts
    lightning  Lightning's Trainer, bf16-mixed, on the same loader
    sweeper    one run
    packed     five runs at a time in one process: sgd, adam, adamw, lion, muon; images/s of all, with evaluation

Seconds are the median over the epochs after the first, of training alone by a synchronized clock; for `packed` they
are the images of an epoch over images/s. Set-up is the time from the process's start to the end of the first epoch,
less a later one (less the first where it was faster): imports, data, compilation, capture. Memory is the device's
peak, on the CPU the training process's own. Sweeper writes no checkpoints here: `checkpoint_every=1` shows their cost.

On a machine that other work shares, --rounds 3 measures all in turn three times and takes the fastest of each.

Without --root the images are made ones of CIFAR-10's shapes; on the CPU, 512 of them. What follows the options are
overrides for sweeper alone, e.g. device.compile=true.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from datetime import datetime, timezone
from typing import Any

from benchmarks.command_line import Parser, count, folder, seconds, some_of
from benchmarks.figures import write_csv
from benchmarks.sweeps import Failed, last_line, started, time_sweep, total_images_per_second
from sweeper.config.grid import compose_grid
from sweeper.system.command import exit_code_of

OPTIMIZERS = ("sgd", "adam", "adamw", "lion", "muon")
NAMES = ("plain", "tuned", "tuned_compiled", "lightning", "sweeper", "packed")
OURS = ("sweeper", "packed")  # to which overrides belong
EPOCHS = {"plain": 2, "tuned": 3, "tuned_compiled": 3, "lightning": 3, "sweeper": 10, "packed": 10}
CPU_EPOCHS = {"digits": 10, "cifar10": 3}
BUDGET, CPU_BUDGET = 350, 1800  # seconds for all
LARGEST_SHARE = 0.4  # of it that one process may take, so that one that hangs leaves time for others
COLUMNS = (
    "dataset",
    "model",
    "batch_size",
    "name",
    "epochs",
    "seconds_per_epoch",
    "images_per_second",
    "ratio_to_plain",
    "ratio_to_tuned",
    "peak_memory_bytes",
    "setup_seconds",
    "device",
    "torch",
    "date",
)


def main() -> int:
    arguments = parse_arguments()
    # A wrong word is told before anything is timed; some only by the command that builds what they name.
    for dataset, name in itertools.product(arguments.dataset, arguments.only):
        compose_grid(words(name, dataset, arguments))
    names = sorted(arguments.only, key=lambda name: bool(arguments.overrides) and name not in OURS)
    best: dict[tuple[str, str], dict[str, Any]] = {}
    deadline = time.monotonic() + arguments.budget
    for dataset, _, name in itertools.product(arguments.dataset, range(arguments.rounds), names):
        limit_s = min(LARGEST_SHARE * arguments.budget, max(0.0, deadline - time.monotonic()))
        try:
            row = measure(name, dataset, arguments, limit_s)
        except Failed as failure:
            print(f"{dataset}, {name}: {failure}", file=sys.stderr, flush=True)
            continue
        print(f"{dataset}, {name}: {row['seconds_per_epoch']:.3f} s/epoch", file=sys.stderr, flush=True)
        key = dataset, name
        before = best.setdefault(key, row)
        setup_seconds = min(row["setup_seconds"], before["setup_seconds"])
        best[key] = min(row, before, key=lambda r: r["seconds_per_epoch"]) | {"setup_seconds": setup_seconds}
    rows = [best[key] for key in itertools.product(arguments.dataset, arguments.only) if key in best]
    add_ratios(rows)
    print_tables(rows)
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)
    return 0 if rows else 1


def parse_arguments() -> argparse.Namespace:
    parser = Parser("peers", __doc__)
    parser.add_argument("--only", type=some_of(NAMES), help=f"of {','.join(NAMES)}")
    parser.add_device()
    both = "cifar10 (ResNet-18), digits (a small CNN), or both"
    parser.add_argument("--dataset", type=some_of(list(CPU_EPOCHS)), help=both)
    parser.add_argument("--root", type=folder, help="the folder of CIFAR-10's real files")
    parser.add_argument("--batch-size", type=count, help="default: the data set's own")
    parser.add_argument(
        "--epochs", type=count, help="of each, the first left out; default: by name, a few minutes in all"
    )
    parser.add_argument("--rounds", type=count, default=1, help="all in turn so often; the fastest of each counts")
    budget = f"for all; default: {BUDGET}, CPU {CPU_BUDGET}"
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help=budget)
    parser.add_csv()
    parser.add_argument("overrides", nargs="*", help="for sweeper alone")
    arguments = parser.parse_args()
    if arguments.epochs is not None and arguments.epochs < 2:
        parser.error("--epochs: at least 2, of which the first is left out")
    arguments.device = parser.find_device(arguments.device)
    on_gpu = arguments.device == "cuda"
    arguments.only = arguments.only or [n for n in NAMES if on_gpu or n not in ("tuned_compiled", "packed")]
    arguments.dataset = arguments.dataset or (["cifar10"] if on_gpu else ["digits", "cifar10"])
    arguments.budget = arguments.budget or (BUDGET if on_gpu else CPU_BUDGET)
    if arguments.overrides and not set(OURS) & set(arguments.only):
        parser.error(f"{arguments.overrides[0]}: is for sweeper alone, which --only leaves out")
    return arguments


def words(name: str, dataset: str, arguments: argparse.Namespace) -> list[str]:
    """What sweeper composes: a loop's configuration, or a command of its own, to which the overrides belong."""
    on_gpu = arguments.device == "cuda"
    overrides = [f"dataset={dataset}", f"device={arguments.device}"]
    overrides.append(f"epochs={arguments.epochs or (EPOCHS[name] if on_gpu else CPU_EPOCHS[dataset])}")
    if arguments.batch_size:
        overrides.append(f"batch_size={arguments.batch_size}")
    if dataset == "cifar10":
        made = "dataset.loader=benchmarks.made.cifar10_shapes"
        overrides.append(f"dataset.root={arguments.root.resolve()}" if arguments.root else made)
        if not on_gpu:
            overrides += ["dataset.train_limit=512", "dataset.test_limit=100"]
    if name == "packed":
        optimizers, lanes = f"optimizer={','.join(OPTIMIZERS)}", f"hydra.launcher.lanes={len(OPTIMIZERS)}"
        overrides = ["-m", optimizers, "hydra/launcher=packed", lanes, *overrides]
    return [*overrides, *(arguments.overrides if name in OURS else ())]


def measure(name: str, dataset: str, arguments: argparse.Namespace, limit_s: float) -> dict[str, Any]:
    """One row.

    Raises:
        Failed: its process failed or took too long.
    """
    overrides = words(name, dataset, arguments)
    config = compose_grid(overrides).cells[0].config
    result = time_sweeper(name, overrides, limit_s) if name in OURS else time_loop(name, config, limit_s)
    described = {"dataset": dataset, "model": config["model"]["name"], "batch_size": config["batch_size"], "name": name}
    return {**described, **result, "date": datetime.now(timezone.utc).date().isoformat()}


def time_loop(name: str, config: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """One of `benchmarks.loops`, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.loops", name]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started(command, encoding="utf-8", errors="replace", **pipes) as process:
        request = json.dumps({"config": config, "launched": time.time()})
        try:
            out, err = process.communicate(request, timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"stopped after {limit_s:.0f} s") from None
    if process.returncode != 0:
        raise Failed(last_line(err))
    result: dict[str, Any] = json.loads(last_line(out))
    return result


def time_sweeper(name: str, overrides: list[str], limit_s: float) -> dict[str, Any]:
    """One run, or five packed, from the files that they write."""
    runs, _ = time_sweep(overrides, limit_s)
    first = runs[0]
    images_per_second = first.images / first.train_seconds if name == "sweeper" else total_images_per_second(runs)
    return {
        "device": first.record["environment"]["device_name"],
        "torch": first.record["environment"]["versions"]["torch"],
        "epochs": len(first.rows) - 1,
        "seconds_per_epoch": first.images / images_per_second,
        "images_per_second": images_per_second,
        "peak_memory_bytes": max(run.record["result"]["peak_memory_bytes"] for run in runs),
        "setup_seconds": max(run.began for run in runs),
    }


def add_ratios(rows: list[dict[str, Any]]) -> None:
    """Of images/s, to the plain and to the faster tuned loop on the same data; none where that is missing."""
    for row in rows:
        speeds = {r["name"]: r["images_per_second"] for r in rows if r["dataset"] == row["dataset"]}
        tuned = max((speeds[name] for name in ("tuned", "tuned_compiled") if name in speeds), default=None)
        row["ratio_to_plain"] = row["images_per_second"] / speeds["plain"] if "plain" in speeds else None
        row["ratio_to_tuned"] = row["images_per_second"] / tuned if tuned else None


def print_tables(rows: list[dict[str, Any]]) -> None:
    """A Markdown table for each data set."""
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        chosen = [row for row in rows if row["dataset"] == dataset]
        first = chosen[0]
        print(
            f"\n{dataset}, {first['model']}, batch size {first['batch_size']}: {first['device']}, torch "
            f"{first['torch']}, {first['date']}\n"
        )
        print("| | s/epoch | images/s | ÷ plain | ÷ tuned | peak MB | set-up s |")
        print("|---|---|---|---|---|---|---|")
        for row in chosen:
            ratios = ["" if row[key] is None else f"{row[key]:.2f}" for key in ("ratio_to_plain", "ratio_to_tuned")]
            print(
                f"| {row['name']} | {row['seconds_per_epoch']:.3f} | {row['images_per_second']:,.0f} | "
                f"{' | '.join(ratios)} | {row['peak_memory_bytes'] / 1e6:,.0f} | {row['setup_seconds']:.1f} |"
            )


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
