"""`python -m benchmarks.waiting [--busy]`: how long OpenMP's threads should spin, with idle cores or busy ones.

Trains digits by a multilayer perceptron and a small CNN, and three steps of ResNet-18 on made images, without a policy,
with OMP_WAIT_POLICY=PASSIVE, by which threads don't spin at all, and with what sweeper sets, in turn, each in a process
of its own, since OpenMP reads it when torch is loaded. A round is one
trial of each; the order turns from round to round. With `--busy` a process for each core computes meanwhile. Prints the
median seconds and ratios, and writes `benchmarks/results/waiting.csv`, or `waiting-busy.csv`. Exit code 1 if losses
differ between policies.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.command_line import Parser, count, folder
from benchmarks.figures import write_csv
from sweeper.engine.devices import set_variables
from sweeper.system.machine import cores

POLICIES = ("unset", "PASSIVE", "sweeper")
MADE = ("dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes", "dataset.test_limit=32")
WORK = {  # the first epoch is the warm-up and isn't timed
    "digits, mlp": ("dataset=digits", "model=mlp", "epochs=6"),
    "digits, cnn": ("dataset=digits", "model=cnn", "epochs=4"),
    "ResNet-18, 3 steps": (*MADE, "model=resnet18", "dataset.train_limit=96", "batch_size=32", "epochs=2"),
}
COLUMNS = ("work", "round", "policy", "seconds", "losses_equal", "cores", "busy", "load")
Row = dict[str, Any]


def main() -> int:
    parser = Parser("waiting", __doc__)
    parser.add_argument("--busy", action="store_true", help="load all cores by other processes")
    parser.add_argument("--rounds", type=count, default=5, help="paired trials of each policy (default: 5)")
    parser.add_argument(
        "--only",
        action="append",
        choices=WORK,
        metavar="WORK",
        help=f"not all: {'; '.join(WORK)}; may be given again",
    )
    parser.add_argument("--into", type=folder, help="the folder of the CSV; default: benchmarks/results")
    parser.add_argument("--trial", nargs=2, metavar=("POLICY", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trial:
        print(json.dumps(trial(*arguments.trial)))
        return 0
    if arguments.only and arguments.into is None:
        parser.error("--only: the file in benchmarks/results has all works; name another folder by --into")
    path = (arguments.into or Path(__file__).parent / "results") / f"waiting{'-busy' * arguments.busy}.csv"
    rows: list[Row] = []

    def kept() -> Iterator[Row]:
        for row in compare(arguments.only or WORK, arguments.rounds, in_a_process):
            rows.append(row | {"busy": arguments.busy})
            yield rows[-1]

    with busy_cores(cores() if arguments.busy else 0):
        write_csv(path, COLUMNS, kept())
    print("\n".join(summary(rows)))
    return 0 if all(row["losses_equal"] for row in rows) else 1


def compare(works: Iterable[str], rounds: int, measure: Callable[[str, str], Row]) -> Iterator[Row]:
    """The rows of all trials of the works. `measure(policy, work)` gives a trial's `seconds` and `losses`."""
    for work in works:
        expected: list[float] | None = None
        for number in range(1, rounds + 1):
            turn = number % len(POLICIES)
            for policy in (*POLICIES[turn:], *POLICIES[:turn]):
                load = os.getloadavg()[0]
                found = measure(policy, work)
                expected = expected or found["losses"]
                row = {"work": work, "round": number, "policy": policy, "seconds": round(found["seconds"], 4)}
                row |= {"losses_equal": found["losses"] == expected, "cores": cores(), "load": round(load, 1)}
                print(*row.values(), file=sys.stderr, flush=True)
                yield row


def summary(rows: Iterable[Row]) -> Iterator[str]:
    """For each work the median seconds of each policy, and the paired ratio of each round to what sweeper sets."""
    rows = list(rows)
    for work in dict.fromkeys(row["work"] for row in rows):
        seconds = {
            policy: {row["round"]: row["seconds"] for row in rows if (row["work"], row["policy"]) == (work, policy)}
            for policy in POLICIES
        }
        parts = [f"{policy} {median(of.values()):.3f} s" for policy, of in seconds.items()]
        for policy in POLICIES[:-1]:
            ratios = [of / seconds["sweeper"][number] for number, of in seconds[policy].items()]
            parts.append(f"{policy} / sweeper {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        equal = all(row["losses_equal"] for row in rows if row["work"] == work)
        yield f"{work}: {', '.join(parts)}; losses {'equal' if equal else 'DIFFER'}"


def in_a_process(policy: str, work: str) -> Row:
    command = [sys.executable, "-m", "benchmarks.waiting", "--trial", policy, work]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout))


def trial(policy: str, work: str) -> Row:
    """Train in this process, whose OpenMP gets the policy. Seconds are of the steps of all epochs but the first."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        os.environ.pop(name, None)
    if policy == "sweeper":
        set_variables()
    elif policy != "unset":
        os.environ["OMP_WAIT_POLICY"] = policy
    import torch  # noqa: F401  OpenMP reads the policy here

    from sweeper.config.grid import compose_grid
    from sweeper.datasets.data import load_run_data
    from sweeper.engine.devices import choose_device, prepare_process
    from sweeper.engine.loop import train
    from sweeper.runs.directory import RunDirectory

    config = compose_grid([*WORK[work], "device=cpu", "save_model=false"]).cells[0].config
    prepare_process(cores())
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        device = choose_device(config["device"], cores())
        for _ in train(config, load_run_data(config), device, RunDirectory(Path(folder)), rows, lambda row: None, {}):
            pass
    return {"seconds": sum(row["train_seconds"] for row in rows[1:]), "losses": [row["train_loss"] for row in rows]}


@contextlib.contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Context with `count` processes that compute."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


if __name__ == "__main__":
    sys.exit(main())
