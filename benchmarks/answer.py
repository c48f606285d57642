"""`python -m benchmarks.answer`: what many runs cost beside their training, by the commands that a user types.

Trains a sweep of runs of one tiny epoch by `hydra/launcher=basic`, one after another in one process: seconds until the
first one begins, and of each further one beside its training. Then times, over made folders of finished runs, the
answer to the sweep that asks for them again, `sweeper.aggregate` and `sweeper.report`: seconds and, since other work
may share the cores, CPU seconds of the whole command with the processes that it starts, and the page's size.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.aggregate import QuickRunDirectory, write_run
from benchmarks.command_line import Parser, count
from benchmarks.figures import write_csv
from sweeper.config.grid import compose_grid
from sweeper.runs.metrics import METRICS, read_metrics
from sweeper.runs.status import Status

EPOCHS = 10
COLUMNS = ("what", "runs", "seconds", "cpu_seconds", "megabytes")
TINY = ("-m", "dataset=digits", "epochs=1", "device=cpu")


def main() -> int:
    parser = Parser("answer", __doc__)
    parser.add_argument("--trained", type=count, default=300, metavar="N", help="runs to train (default: %(default)s)")
    parser.add_argument(
        "--runs", type=count, default=3000, help="finished ones, 15 or a multiple; default: %(default)s"
    )
    parser.add_csv()
    arguments = parser.parse_args()
    if arguments.trained < 2:
        parser.error("--trained: at least 2, of which the first is timed by itself")
    if arguments.runs % 15:
        parser.error(f"--runs {arguments.runs}: 15 or a multiple, three seeds of five optimizers")
    print("| what | runs | seconds | CPU seconds | MB |\n|---|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    for measure, runs in ((trained, arguments.trained), (answered, arguments.runs), (reported, arguments.runs)):
        with tempfile.TemporaryDirectory() as folder:
            for what, *figures in measure(runs, Path(folder) / "outputs"):
                rows.append(dict(zip(COLUMNS, (what, runs, *figures), strict=False)))
                print(f"| {' | '.join(str(rows[-1].get(name, '')) for name in COLUMNS)} |", flush=True)
    if arguments.csv:
        write_csv(arguments.csv, COLUMNS, rows)
    return 0


def trained(runs: int, outputs: Path) -> list[tuple[Any, ...]]:
    """Seconds to the first run's begin, of each further run beside its training, and of the whole command."""
    began = time.time()
    whole = timed("train", *TINY, "hydra/launcher=basic", f"seed=range(1,{runs + 1})", f"outputs={outputs}")
    files = sorted(outputs.glob("*/*/metrics.csv"), key=lambda path: path.stat().st_mtime)
    ends = [path.stat().st_mtime for path in files]
    training = [sum(row["train_seconds"] or 0.0 for row in read_metrics(path)[0]) for path in files]
    between = (ends[-1] - ends[0]) / (len(ends) - 1)
    beside = between - statistics.mean(training[1:])
    return [
        ("first run begins", round(ends[0] - training[0] - began, 2)),
        ("each further run, beside its training", round(beside, 3)),
        ("the whole sweep", *whole),
    ]


def answered(runs: int, outputs: Path) -> list[tuple[Any, ...]]:
    """Of the sweep that asks for finished runs again: composing them, within this process, and the whole command."""
    grid = ("optimizer=sgd,adam,adamw,lion,muon", f"seed=range(0,{runs // 5})")
    command = (TINY[0], TINY[1], *grid, "device=cpu", f"epochs={EPOCHS}", f"outputs={outputs}")
    began, began_cpu = time.perf_counter(), time.process_time()
    cells = compose_grid(list(command)).cells
    composing = round(time.perf_counter() - began, 2), round(time.process_time() - began_cpu, 2)
    for cell in cells:
        cell.directory.mkdir(parents=True)
        run = QuickRunDirectory(cell.directory)
        run.write_metrics([dict.fromkeys(METRICS) | made(k) for k in range(1, EPOCHS + 1)])
        run.write_run(Status.COMPLETED, cell.config, {}, {"test_accuracy": 0.9})
    return [("configurations composed", *composing), ("finished runs answered", *timed("train", *command))]


def reported(runs: int, outputs: Path) -> list[tuple[Any, ...]]:
    """Of the tables and of the page, over runs of 200 epochs: five optimizers at many learning rates."""
    for k in range(runs):
        write_run(outputs, k)
    tables, page = timed("aggregate", outputs), timed("report", outputs)
    size = round((outputs / "report.html").stat().st_size / 1e6, 1)
    return [("aggregate, 200 epochs", *tables), ("report, 200 epochs", *page, size)]


def made(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "step": epoch, "test_accuracy": 0.9, "train_seconds": 1.0, "images_per_second": 1000.0}


def timed(command: str, *arguments: Any) -> tuple[float, float]:
    """Seconds and CPU seconds of a command."""
    before, began = _cpu_seconds(), time.perf_counter()
    subprocess.run([sys.executable, "-m", f"sweeper.{command}", *map(str, arguments)], check=True, capture_output=True)
    return round(time.perf_counter() - began, 2), round(_cpu_seconds() - before, 2)


def _cpu_seconds() -> float:
    """Of this process's children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
