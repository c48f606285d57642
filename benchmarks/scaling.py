"""`python -m benchmarks.scaling`: how sweeper's speed grows with lanes, batch sizes, GPUs and runs.

    lanes    1 to 8 runs at a time, as many runs as lanes, optimizers mixed
    auto     what lanes=auto chooses for 5 and for 15 long runs, by one trial, which is stopped when it has chosen; and
             how much longer such sweeps take than with the best of the numbers that `lanes` measured before it. For
             that give `--optimizers sgd`, since numbers of lanes with different optimizers can't be compared
    batches  one run, batch sizes 128 to 1024
    setup    two runs, one after the other in one process
    gpus     five lanes on each GPU, by one GPU and by two, or by the numbers that `--gpus` names; not by default
    runs     a whole sweep's command, tables at its end included; not by default: 15 runs take minutes

Each row is one `python -m sweeper.train …` of ResNet-18 on made images of CIFAR-10's shapes, watched from outside.
Images/s are of all its runs together, evaluation after each epoch included, while all of them train; s/epoch is of
training alone by the run's own clock, median without the first epoch. Set-up is the time to the end of a run's first
epoch less a later one (less the first where it was faster), counted from the process's start, and for the second run
of `setup` from the first run's last epoch. What follows the options are overrides for sweeper, e.g. batch_size=256, or
other work such as model=resnet20, or dataset=digits model=mlp with --epochs 300.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from benchmarks.command_line import Parser, count, counts, seconds, some_of
from benchmarks.figures import write_csv
from benchmarks.sweeps import Failed, gains_by_trial, time_sweep, total_images_per_second
from sweeper.config.grid import compose_grid
from sweeper.system.command import exit_code_of
from sweeper.train.launchers.gpu_processes import visible_gpus
from sweeper.train.launchers.lane_gains import choose_lanes, sweep_time

OPTIMIZERS = ("sgd", "adam", "adamw", "lion", "muon")
PARTS = ("lanes", "auto", "batches", "setup", "gpus", "runs")
OF_AUTO = (5, 15)  # numbers of runs
COLUMNS = (
    "part",
    "lanes",
    "runs",
    "batch_size",
    "epochs",
    "images_per_second",
    "seconds_per_epoch",
    "setup_seconds",
    "second_setup_seconds",
    "peak_memory_bytes",
    "command_seconds",
    "device",
    "torch",
    "date",
    "loss_percent",
    "gpus",
)
HEAD = "| part | lanes | runs | batch | images/s | s/epoch | set-up s | second set-up s | peak MB | command s |\n"
HEAD += "|---|---|---|---|---|---|---|---|---|---|"
CPU_SMALL = ("dataset.train_limit=256", "dataset.test_limit=100", "model.width=8")


def main() -> int:
    arguments = parse_arguments()
    for part, values in plan(arguments):  # a wrong word before anything is timed
        compose_grid(words(part, values, arguments))
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + arguments.budget
    for part, values in plan(arguments):
        left = max(0.0, deadline - time.monotonic())
        try:
            found = by_auto(arguments, rows, left) if part == "auto" else [measure(part, values, arguments, left)]
        except Failed as failure:
            print(f"{part}{f' {values}' if values else ''}: {failure}", file=sys.stderr, flush=True)
            continue
        if part != "auto" and all(row["part"] == "auto" for row in rows):
            print(HEAD)
        rows += found
        for row in found:
            print(auto_line(row) if part == "auto" else table_line(row), flush=True)
    if rows and "device" in rows[0]:
        print(f"\n{rows[0]['device']}, torch {rows[0]['torch']}, {rows[0]['date']}")
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)
    return 0 if rows else 1


def parse_arguments() -> argparse.Namespace:
    parser = Parser("scaling", __doc__)
    of_all = f"of {','.join(PARTS)}; default: %(default)s"
    parser.add_argument("--only", type=some_of(PARTS), default="setup,batches,lanes", help=of_all)
    parser.add_device()
    parser.add_argument("--lanes", type=counts, default="1,2,3,4,5,8", help="default: %(default)s")
    parser.add_argument("--optimizers", type=lambda text: text.split(","), default=list(OPTIMIZERS))
    parser.add_argument("--batch-sizes", type=counts, default="128,256,512,1024", help="default: %(default)s")
    parser.add_argument("--gpus", type=counts, default="1,2", help="numbers of them; default: %(default)s")
    parser.add_argument("--runs", type=count, default=15, help="of the whole sweep; default: %(default)s")
    parser.add_argument(
        "--sweep-lanes", type=count, default=5, help="of the whole sweep, and of each GPU; default: %(default)s"
    )
    parser.add_argument("--epochs", type=count, default=4, help="of each run; default: %(default)s")
    parser.add_argument("--budget", type=seconds, default=350, metavar="SECONDS", help="for all; default: %(default)s")
    parser.add_csv()
    parser.add_argument("overrides", nargs="*", help="for sweeper")
    arguments = parser.parse_args()
    if arguments.epochs < 3:
        parser.error("--epochs: at least 3")
    arguments.device = parser.find_device(arguments.device)
    return arguments


def plan(arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row's part and values, the cheap ones first."""
    for part in arguments.only:
        if part == "setup":
            yield part, {"lanes": 1, "runs": 2}
        elif part == "batches":
            yield from ((part, {"lanes": 1, "runs": 1, "batch_size": size}) for size in arguments.batch_sizes)
        elif part == "auto":
            yield part, {}
        elif part == "lanes":
            yield from ((part, {"lanes": lanes, "runs": lanes}) for lanes in arguments.lanes)
        elif part == "gpus":
            each = arguments.sweep_lanes
            yield from ((part, {"lanes": each, "runs": each * gpus, "gpus": gpus}) for gpus in arguments.gpus)
        else:
            yield part, {"lanes": arguments.sweep_lanes, "runs": arguments.runs}


def words(part: str, values: dict[str, Any], arguments: argparse.Namespace) -> list[str]:
    """What follows `sweeper.train`."""
    if part == "auto":
        own = ["epochs=100000", *grid(max(OF_AUTO), arguments.optimizers), "hydra/launcher=packed"]
    else:
        sizes = [f"batch_size={values['batch_size']}"] if "batch_size" in values else []
        sweep = [*grid(values["runs"], arguments.optimizers), *launcher(values["lanes"])]
        own = [f"epochs={arguments.epochs}", *sizes, *sweep]
    return ["-m", *work(arguments), *own, *arguments.overrides]


def measure(part: str, values: dict[str, Any], arguments: argparse.Namespace, limit_s: float) -> dict[str, Any]:
    """One row.

    Raises:
        Failed: its command failed or took too long.
    """
    gpus = values.get("gpus", 1)
    variables = first_gpus(gpus, arguments.device) if "gpus" in values else {}
    runs, seconds = time_sweep(words(part, values, arguments), limit_s, variables)
    first = runs[0]
    together = len(runs) == values["lanes"] * gpus
    return {
        "part": part,
        **values,
        "batch_size": first.record["config"]["batch_size"],
        "epochs": arguments.epochs,
        "images_per_second": total_images_per_second(runs) if together else None,
        "seconds_per_epoch": first.train_seconds,
        "setup_seconds": runs[min(values["lanes"] * gpus, len(runs)) - 1].began,
        "second_setup_seconds": runs[1].began - first.ends[-1] if part == "setup" else None,
        "peak_memory_bytes": max(run.record["result"]["peak_memory_bytes"] for run in runs),
        "command_seconds": seconds,
        "device": first.record["environment"]["device_name"],
        "torch": first.record["environment"]["versions"]["torch"],
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def by_auto(arguments: argparse.Namespace, rows: list[dict[str, Any]], limit_s: float) -> list[dict[str, Any]]:
    """What lanes=auto chooses, and the loss by the rows of `lanes`.

    Raises:
        Failed: nothing was chosen.
    """
    if arguments.device == "cpu":
        raise Failed("a CPU trains one run at a time")
    gains, found = gains_by_trial(words("auto", {}, arguments), limit_s), []
    print(f"gains by the trial: {', '.join(f'{n}: {gain:.3f}' for n, gain in gains.items())}", flush=True)
    speeds = {row["lanes"]: row["images_per_second"] for row in rows if row["part"] == "lanes"}
    measured = {n: speed / speeds[1] for n, speed in speeds.items()} if 1 in speeds else {}
    for runs in OF_AUTO:
        lanes = choose_lanes(gains, runs)
        row: dict[str, Any] = {"part": "auto", "lanes": lanes, "runs": runs, "loss_percent": None}
        if measured and len(arguments.optimizers) == 1:
            best = min(sweep_time(measured, runs, n) for n in measured if n <= runs)
            row["loss_percent"] = round(100 * (sweep_time(measured, runs, lanes) / best - 1), 2)
            row |= {key: rows[-1][key] for key in ("device", "torch", "date")}
        found.append(row)
    return found


def auto_line(row: dict[str, Any]) -> str:
    loss = "not measured" if row["loss_percent"] is None else f"{row['loss_percent']:.1f} %"
    return f"auto: {row['lanes']} at a time for {row['runs']} runs; loss against the best of --lanes: {loss}"


def work(arguments: argparse.Namespace) -> list[str]:
    """Overrides for the data, unless the user names others, and the device."""
    named = any(override.startswith("dataset=") for override in arguments.overrides)
    made = [] if named else ["dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes"]
    small = CPU_SMALL if arguments.device == "cpu" and not named else ()
    return [*made, f"device={arguments.device}", *small]


def grid(runs: int, names: list[str]) -> list[str]:
    """Overrides for so many runs: as many of these optimizers as divide them, and seeds."""
    optimizers = max(k for k in range(1, len(names) + 1) if runs % k == 0)
    seeds = range(1, runs // optimizers + 1)
    return [f"optimizer={','.join(names[:optimizers])}", f"seed={','.join(map(str, seeds))}"]


def launcher(lanes: int) -> list[str]:
    """Hydra's own, which runs one after another in its process, or ours."""
    return ["hydra/launcher=basic"] if lanes == 1 else ["hydra/launcher=packed", f"hydra.launcher.lanes={lanes}"]


def first_gpus(count: int, kind: str) -> dict[str, str]:
    """The environment variables with which a command has so many of this process's GPUs.

    Raises:
        Failed: there are fewer.
    """
    if len(there := visible_gpus(kind)) < count:
        raise Failed(f"there are {len(there)} GPUs")
    return {"CUDA_VISIBLE_DEVICES": ",".join(there[:count])}


def table_line(row: dict[str, Any]) -> str:
    cells = [row["part"], *(str(row[key]) for key in ("lanes", "runs", "batch_size"))]
    cells.append("" if row["images_per_second"] is None else f"{row['images_per_second']:,.0f}")
    cells += [f"{row['seconds_per_epoch']:.3f}", f"{row['setup_seconds']:.1f}"]
    cells.append("" if row["second_setup_seconds"] is None else f"{row['second_setup_seconds']:.1f}")
    cells += [f"{row['peak_memory_bytes'] / 1e6:,.0f}", f"{row['command_seconds']:.0f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
