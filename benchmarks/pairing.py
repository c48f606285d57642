"""`python -m benchmarks.pairing`: ten seeds of three optimizers on digits, as `docs/pairing.md` has them, on the CPU.

Trains the page's runs in a temporary folder (a minute or two), writes `benchmarks/results/pairing.csv`, and makes the
page's tables from it: how much the paired differences of two optimizers scatter, and how much unpaired ones would; and
what share of the variance over seeds is the same for all optimizers, there and in a study's records.
"""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import fdtri

from benchmarks.command_line import Parser
from benchmarks.figures import fill, markdown, read_csv, write_csv
from sweeper.aggregate.tasks import epochs_words, group_tasks
from sweeper.runs.results import read_results

REPOSITORY = Path(__file__).resolve().parent.parent
FILE = Path(__file__).parent / "results" / "pairing.csv"
PAGE = REPOSITORY / "docs" / "pairing.md"
STUDY = REPOSITORY / "docs" / "study" / "cifar10" / "runs"
COLUMNS = ("optimizer", "seed", "final_test_accuracy", "steps_to_target", "machine", "date", "python", "torch")
SWEEP = ("dataset=digits", "optimizer=adam,nadam,sgd", "seed=range(1,11)", "epochs=10", "target_accuracy=0.95")
PAIRS = (("nadam", "adam"), ("sgd", "adam"), ("sgd", "nadam"))
STEPS = 23  # of an epoch: 1,438 images in batches of 64


def train(outputs: Path, sweep: Sequence[str] = SWEEP) -> list[dict[str, Any]]:
    """The rows of the CSV, one per run."""
    command = [sys.executable, "-m", "sweeper", "train", "-m", *sweep, "device=cpu", f"outputs={outputs}"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, check=True, cwd=outputs.parent, env=environment, stdout=sys.stderr)
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    rows = []
    for run in read_results([outputs]).runs:
        facts = {"machine": run.device_name, "date": today, **dict(run.versions)}
        rows.append({name: facts.get(name, run.values.get(name)) for name in COLUMNS})
    return sorted(rows, key=lambda row: (row["optimizer"], row["seed"]))


def compare_pair(rows: Sequence[dict[str, Any]], a: str, b: str) -> dict[str, float]:
    """The figures of a pair, in points; `unpaired` would be the deviation if seeds were drawn anew for each."""
    ours, theirs = (np.array([100 * float(row["final_test_accuracy"]) for row in of(rows, name)]) for name in (a, b))
    differences = ours - theirs
    return {
        "difference": differences.mean(),
        "paired": differences.std(ddof=1),
        "unpaired": math.sqrt(ours.var(ddof=1) + theirs.var(ddof=1)),
        "correlation": np.corrcoef(ours, theirs)[0, 1],
        "ahead": int((differences > 1e-9).sum()),
        "ties": int((abs(differences) <= 1e-9).sum()),
    }


def of(rows: Sequence[dict[str, Any]], optimizer: str) -> list[dict[str, Any]]:
    """An optimizer's rows by seed."""
    return sorted((row for row in rows if row["optimizer"] == optimizer), key=lambda row: int(row["seed"]))


def epochs_to_target(rows: Sequence[dict[str, Any]], optimizer: str) -> list[float]:
    return [float(row["steps_to_target"]) / STEPS for row in of(rows, optimizer)]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The page's table in Markdown."""
    head = ["pair", "mean difference", "standard deviation of the paired differences", "of unpaired ones"]
    head += ["correlation over seeds", "ahead in"]
    lines = []
    for a, b in PAIRS:
        found = compare_pair(rows, a, b)
        ties = f", {found['ties']} tie{'s' * (found['ties'] > 1)}" if found["ties"] else ""
        cells = [f"{found['difference']:+.2f}", f"{found['paired']:.2f}", f"{found['unpaired']:.2f}"]
        cells += [f"{found['correlation']:.2f}", f"{found['ahead']} of {len(of(rows, a))}{ties}"]
        lines.append([f"{a} − {b}", *(cell.replace("-", "−") for cell in cells)])
    return markdown(head, lines)


def seed_share(scores: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """The share of the variance over seeds that is a seed's effect on all optimizers alike, and its interval: the
    intraclass correlation ICC(C,1) of McGraw and Wong (1996, Psychological Methods 1). Of none it may be below 0.

    Args:
        scores: (optimizers, seeds), none missing.
    """
    optimizers, seeds = scores.shape
    of_seeds = scores.mean(axis=0) - scores.mean()
    residuals = scores - scores.mean(axis=1, keepdims=True) - of_seeds
    df = (optimizers - 1) * (seeds - 1)
    ratio = optimizers * (of_seeds**2).sum() / (seeds - 1) / ((residuals**2).sum() / df)
    tail = (1 + level) / 2
    ratios = ratio, ratio / float(fdtri(seeds - 1, df, tail)), ratio * float(fdtri(df, seeds - 1, tail))
    found, low, high = ((one - 1) / (one + optimizers - 1) for one in ratios)
    return found, low, high


def shares_table(rows: Sequence[dict[str, Any]]) -> str:
    """The page's second table: of these rows, and of the study's tasks."""
    names = sorted({row["optimizer"] for row in rows})
    digits = np.array([[float(row["final_test_accuracy"]) for row in of(rows, name)] for name in names])
    found = {"digits, 10 epochs": digits}
    for task in group_tasks(read_results([STUDY]).runs):
        by_seed = [setting.final() for setting in task.compared]
        label = f"CIFAR-10, {epochs_words(task)}"
        found[label] = np.array([[scores[seed] for seed in sorted(scores)] for scores in by_seed])
    lines = []
    for label, scores in found.items():
        share, low, high = (f"{100 * one:.0f}".replace("-", "−") for one in seed_share(scores))
        lines.append([label, f"{scores.shape[0]} × {scores.shape[1]}", f"{share} %", f"{low} to {high} %"])
    return markdown(["task", "optimizers × seeds", "share", "95 % interval"], lines)


def main() -> None:
    Parser("pairing", __doc__).parse_args()  # there are no options
    with tempfile.TemporaryDirectory() as folder:
        write_csv(FILE, COLUMNS, train(Path(folder) / "outputs"))
    rows = read_csv(FILE)
    PAGE.write_text(fill(PAGE, {"pairing": table(rows), "shares": shares_table(rows)}), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
