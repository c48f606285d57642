"""`python -m benchmarks.reproduce ROW [overrides]`: does this tool reach a published accuracy? On a GPU.

Trains the seeds 1 to 5 of a row of `benchmarks/published.py` by `python -m sweeper.train -m`, into
`outputs/reproduction/ROW`, and holds their mean against the published one. What follows the row are overrides, e.g.
dataset.root=FOLDER or seed=1,2,3. A row holds where |our mean − published| ≤ max(0.3, 2·√(s₁²/n₁ + s₂²/n₂)) points; a
deviation or n that the source doesn't tell counts nothing there.

`--table` writes the tables of `docs/reproduction.md` anew from the records in `docs/reproduction/runs/ROW`.

Exit code 0: it holds, or has no verdict; 1: it doesn't hold, or a run didn't end; 2: nothing was trained.
"""

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import yaml
from scipy.special import stdtrit

from benchmarks.command_line import Parser
from benchmarks.figures import fill, read_csv
from benchmarks.published import ROWS, Row
from sweeper.aggregate.points import points
from sweeper.config.grid import compose_grid
from sweeper.engine.devices import kinds_here
from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.metrics import read_metrics
from sweeper.runs.record import read_run
from sweeper.runs.results import read_results
from sweeper.system.command import exit_code_of
from sweeper.system.errors import BadInput

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "reproduction.md"
RECORDS = REPOSITORY / "docs" / "reproduction"
SMALLEST_BAND = 0.3  # points
NONE = "–"
EPOCHS = {"final": "last", "best": "best"}  # which of a run's accuracies is judged, in words


@dataclass
class Outcome:
    """What came of a row's runs, accuracies in %. `latest` is of the last epoch done, of runs cut off as well."""

    final: list[float]
    best: list[float]
    latest: list[float]
    epochs_done: list[int]
    status: list[str]

    @property
    def ended(self) -> bool:
        return bool(self.status) and set(self.status) == {"completed"}


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("reproduce", __doc__)
    parser.add_argument("row", nargs="?", choices=[name for name, row in ROWS.items() if row.accuracy is not None])
    parser.add_argument("overrides", nargs="*", help="for sweeper.train")
    parser.add_argument("--table", action="store_true", help="write docs/reproduction.md's tables, and train nothing")
    arguments = parser.parse_args(argv)
    if arguments.table == (arguments.row is not None):
        parser.error("name a row, or --table")
    if arguments.table:
        return exit_code_of(write_page)
    return exit_code_of(lambda: train(arguments.row, arguments.overrides))


def write_page() -> None:
    PAGE.write_text(fill(PAGE, tables(RECORDS)), encoding="utf-8")


def train(name: str, overrides: Sequence[str]) -> int:
    """Train a row's seeds and judge them. Returns the exit code.

    Raises:
        BadInput: an override is wrong.
    """
    row = ROWS[name]
    asides = ("seed=1,2,3,4,5", f"outputs=outputs/reproduction/{name}", "save_model=false", "hydra/launcher=packed")
    words = replace([*row.words, *asides], overrides)
    compose_grid(["-m", *words])
    if not kinds_here()["cuda"] and not any(word.startswith("device") for word in overrides):
        print(
            "there is no NVIDIA GPU, and on a CPU a row takes days; device=cpu trains it all the same", file=sys.stderr
        )
        return 2
    done = subprocess.run([sys.executable, "-m", "sweeper.train", "-m", *words], check=False)
    if done.returncode == 2:
        return 2
    outputs = next(word for word in words if word.startswith("outputs=")).removeprefix("outputs=")
    recipe = [word for word in replace(row.words, overrides) if key(word) in map(key, row.words)]
    outcome = read(Path(outputs), recipe)
    verdict = judge(outcome, row)
    ours = f"{show(getattr(outcome, row.epoch))} at the {EPOCHS[row.epoch]} epoch"
    print(f"{row.what}: {ours}, published {published(row)}: {verdict}")
    return 0 if outcome.ended and verdict in ("holds", "context") else 1


def key(word: str) -> str:
    return word.partition("=")[0]


def replace(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """`words` without those that `overrides` set anew, then these."""
    anew = set(map(key, overrides))
    return [*(word for word in words if key(word) not in anew), *overrides]


def read(folder: Path, words: Sequence[str]) -> Outcome:
    """The runs below a folder; none if there is no folder.

    Raises:
        BadInput: a run has another recipe than `words`.
    """
    outcome = Outcome([], [], [], [], [])
    for run in read_results([folder]).runs if folder.is_dir() else []:
        check_recipe(run.path, read_run(Path(run.path))["config"], words)
        values = run.values
        rows, _ = read_metrics(Path(run.path) / METRICS_FILE)
        outcome.status.append(values["status"])
        outcome.epochs_done.append(len(rows))
        outcome.latest += [100 * row["test_accuracy"] for row in rows[-1:] if row["test_accuracy"] is not None]
        if values["status"] == "completed":
            outcome.final.append(100 * values["final_test_accuracy"])
            outcome.best.append(100 * values["best_test_accuracy"])
    return outcome


def check_recipe(path: str, config: dict[str, Any], words: Sequence[str]) -> None:
    for word in words:
        name, _, value = word.partition("=")
        node: Any = config
        for part in name.split("."):
            node = node[part]
        found = node["name"] if isinstance(node, dict) else node  # a group's choice
        if found != yaml.safe_load(value):
            raise BadInput(f"{path}: {name} is {found}, but this row has {value}; its runs belong into another folder")


def judge(outcome: Outcome, row: Row) -> str:
    if not outcome.status:
        return "not run"
    if not outcome.ended:
        return "not finished"
    if row.context or row.accuracy is None:
        return "context"
    ours = getattr(outcome, row.epoch)
    return "holds" if abs(fmean(ours) - row.accuracy) <= band(ours, row) else "doesn't hold"


def band(ours: Sequence[float], row: Row) -> float:
    """How far our mean may lie from the published one, in points."""
    theirs = row.deviation**2 / row.n if row.deviation is not None and row.n is not None else 0.0
    return max(SMALLEST_BAND, 2 * math.sqrt(_error(ours) + theirs))


def welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """The difference of two means, and half its 95 % interval (Welch 1947); of two values or more each."""
    errors = [_error(a), _error(b)]
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / (len(a) - 1) + errors[1] ** 2 / (len(b) - 1))
    return fmean(a) - fmean(b), float(stdtrit(freedom, 0.975)) * math.sqrt(sum(errors))


def _error(values: Sequence[float]) -> float:
    """The squared standard error of their mean; 0 where one value tells none."""
    return stdev(values) ** 2 / len(values) if len(values) > 1 else 0.0


def show(values: Sequence[float]) -> str:
    if not values:
        return NONE
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{fmean(values):.2f}{spread} (n = {len(values)})"


def published(row: Row) -> str:
    spread = "" if row.deviation is None else f" ± {row.deviation:.2f}"
    return f"{row.accuracy}{spread} ({'n not told' if row.n is None else f'n = {row.n}'})"


def tables(records: Path) -> dict[str, str]:
    """The blocks of the page, by name."""
    outcomes = {name: read(records / "runs" / name, row.words) for name, row in ROWS.items()}
    textbook = read_csv(records / "textbook.csv")
    return {
        "results": results_table(outcomes),
        "recipes": recipes_table(),
        "norms": norms_table(outcomes, textbook),
    }


def results_table(outcomes: dict[str, Outcome]) -> str:
    lines = ["| row | published, % | ours, last epoch | ours, best epoch | judged | difference | band | verdict |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for name, row in ROWS.items():
        if row.accuracy is None:
            continue
        outcome = outcomes[name]
        verdict, final, difference, allowed = judge(outcome, row), show(outcome.final), NONE, NONE
        if outcome.ended:
            ours = getattr(outcome, row.epoch)
            difference, allowed = f"{fmean(ours) - row.accuracy:+.2f}", f"{band(ours, row):.2f}"
        elif outcome.latest:
            epochs = min(outcome.epochs_done)
            final = f"{show(outcome.latest)} when cut off, the earliest after epoch {epochs}"
        allowed = NONE if row.context else allowed
        judged = EPOCHS[row.epoch]
        cells = [row.what, published(row), final, show(outcome.best), judged, difference, allowed, verdict]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def recipes_table() -> str:
    lines = ["| row | source | its recipe | what differs here |", "|---|---|---|---|"]
    for name, row in ROWS.items():
        if row.accuracy is not None:
            lines.append(f"| `{name}` | {row.source} | {row.recipe} | {row.differs} |")
    return "\n".join(lines)


def norms_table(outcomes: dict[str, Outcome], textbook: list[dict[str, str]]) -> str:
    """Weight decay on norms and biases or not: this tool beside the textbook loop."""
    groups: dict[str, list[list[float]]] = {
        "this tool": [outcomes["cifar10-sgd"].final, outcomes["cifar10-sgd-undecayed"].final],
        "the textbook loop": [
            [100 * float(line["final"]) for line in textbook if line["decay_norms"] == decayed]
            for decayed in ("True", "False")
        ],
    }
    lines = ["| loop | everything decayed, % | norms and biases not | difference, 95 % interval |", "|---|---|---|---|"]
    for loop, (decayed, not_decayed) in groups.items():
        difference, half = welch(decayed, not_decayed)
        shown, low, high = (points(one / 100) for one in (difference, difference - half, difference + half))
        interval = f"{shown} ({low} to {high})"
        lines.append(f"| {loop} | {listed(decayed)} | {listed(not_decayed)} | {interval} |")
    return "\n".join(lines)


def listed(values: Sequence[float]) -> str:
    return f"{show(values)}: {', '.join(f'{value:.2f}' for value in values)}"


if __name__ == "__main__":
    sys.exit(main())
