"""`python -m benchmarks.answer`: seconds until a sweep of finished runs is answered from disk, and whose they are.

Makes the directories of finished runs, then times the whole command `python -m sweeper.train -m …` that asks for them,
imports, tables and page included, and within this process what composing their configurations takes.
"""

import argparse
import subprocess
import sys
import tempfile
import time

from sweeper.config.grid import compose_grid
from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import METRICS
from sweeper.runs.status import Status

EPOCHS = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answer", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000], help="a multiple of 5; default: %(default)s")
    arguments = parser.parse_args()
    print("| runs | composing, s | whole command, s | the rest, ms a run |\n|---|---|---|---|")
    for runs in arguments.runs:
        with tempfile.TemporaryDirectory() as folder:
            measure(runs, folder)
    return 0


def measure(runs: int, folder: str) -> None:
    """Print a row of the table."""
    grid = ("-m", "optimizer=sgd,adam,adamw,lion,muon", f"seed=range(0,{runs // 5})", "dataset=digits", "device=cpu")
    command = [*grid, f"epochs={EPOCHS}", f"outputs={folder}"]
    began = time.perf_counter()
    cells = compose_grid(command).cells
    composing = time.perf_counter() - began
    for cell in cells:
        run = RunDirectory(cell.directory)
        rows = [dict.fromkeys(METRICS) | {"epoch": k + 1, "test_accuracy": 0.9} for k in range(EPOCHS)]
        run.write_metrics(rows)
        run.write_run(Status.COMPLETED, cell.config, {}, {"test_accuracy": 0.9})
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sweeper.train", *command], check=True, capture_output=True)
    whole = time.perf_counter() - began
    print(
        f"| {len(cells):,} | {composing:.1f} | {whole:.1f} | {1e3 * (whole - composing) / len(cells):.2f} |", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
