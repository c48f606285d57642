"""`python -m benchmarks.coverage`: simulates how often the 95 % intervals of the statistics over tasks hold the truth.

Scores are normal, of a deviation of 1. A study has so many methods of each task, `STEP` deviations apart; judged is the
middle one of three or five, or the better one of two. `iqm` is the coverage of its interquartile mean's interval and
`improvement` that of its probability of improvement; beside them stands that of the percentile bootstrap, by which both
were judged before. Scores are normalized by the true means of the lowest and the highest method, or, as on the page, by
the study's own. Writes `benchmarks/results/coverage.csv`; `docs/statistics.md` has its table.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr

from benchmarks.command_line import Parser
from benchmarks.figures import fill, markdown, read_csv, write_csv
from sweeper.aggregate.bootstrap import RESAMPLES, interquartile_mean, min_max, stratified_interval
from sweeper.aggregate.improvement import improvement_interval

FILE = Path(__file__).parent / "results" / "coverage.csv"
PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
COLUMNS = ("scenario", "tasks", "seeds", "studies", "iqm", "iqm_percentile", "improvement", "improvement_percentile")
STUDIES = 2_000
SEEDS = (3, 5, 10)
TASKS = (2, 5)
# The methods' true means, the scatter of the first task's scores, and whether the study's own means normalize them.
SCENARIOS: dict[str, tuple[Sequence[float], float, bool]] = {
    "two, 0.5 deviations apart": ((0, 0.5), 1, False),
    "two, 2 deviations apart": ((0, 2), 1, False),
    "one task scatters 4 times": ((0, 0.5), 4, False),
    "the middle of three": ((0, 2, 4), 1, False),
    "the middle of three, own 0 and 1": ((0, 2, 4), 1, True),
    "the middle of five, own 0 and 1": ((0, 1, 2, 3, 4), 1, True),
}


def rows(studies: int = STUDIES) -> Iterator[dict[str, Any]]:
    for scenario in SCENARIOS:
        for tasks in TASKS:
            for n in SEEDS:
                yield simulate(scenario, tasks, n, studies)


def simulate(scenario: str, tasks: int, n: int, studies: int) -> dict[str, Any]:
    """One row."""
    means, first, own_ends = SCENARIOS[scenario]
    numbers = np.random.default_rng([tasks, n, *scenario.encode()])
    judged = len(means) // 2
    others = [k for k in range(len(means)) if k != judged]
    deviations = np.array([first, *[1] * (tasks - 1)])[:, None, None]
    true_mean = (means[judged] - means[0]) / (means[-1] - means[0])
    chances = [float(ndtr((means[judged] - means[k]) / d / 2**0.5)) for d in deviations.ravel() for k in others]
    true_chance = sum(chances) / len(chances)
    held = dict.fromkeys(COLUMNS[4:], 0)
    for _ in range(studies):
        scores = numbers.normal(size=(tasks, len(means), n)) * deviations + np.array(means)[:, None]
        if own_ends:
            normalized = np.array([min_max(task) for task in scores.tolist()])
        else:
            normalized = (scores - means[0]) / (means[-1] - means[0])
        ours, theirs = scores[:, judged], scores[:, others].reshape(tasks, -1)
        intervals = {
            "iqm": (true_mean, stratified_interval(interquartile_mean, normalized[:, judged].tolist())),
            "iqm_percentile": (true_mean, percentiles(_pooled_mean, numbers, normalized[:, judged])),
            "improvement": (true_chance, improvement_interval(ours.tolist(), theirs.tolist())),
            "improvement_percentile": (true_chance, percentiles(_chance, numbers, ours, theirs)),
        }
        for name, (truth, (low, high)) in intervals.items():
            held[name] += low <= truth <= high
    row = {"scenario": scenario, "tasks": tasks, "seeds": n, "studies": studies}
    return row | {name: round(count / studies, 4) for name, count in held.items()}


def percentiles(
    statistic: Callable[..., np.ndarray], numbers: np.random.Generator, *samples: np.ndarray
) -> tuple[float, float]:
    """The central 95 % of resamples of each sample (tasks, scores) within its tasks, as in arXiv 2108.13264."""
    found = []
    for sample in samples:
        places = numbers.integers(0, sample.shape[1], (RESAMPLES, *sample.shape))
        found.append(np.take_along_axis(sample[None], places, axis=2))
    low, high = np.quantile(statistic(*found), (0.025, 0.975), method="nearest")
    return float(low), float(high)


def _pooled_mean(scores: np.ndarray) -> np.ndarray:
    means: np.ndarray = interquartile_mean([scores[:, task] for task in range(scores.shape[1])])
    return means


def _chance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    shares: np.ndarray = (a[..., :, None] > b[..., None, :]).mean(axis=(1, 2, 3))  # normal scores have no ties
    return shares


def table(found: Sequence[dict[str, Any]]) -> str:
    """The figures in Markdown, in percent: for each scenario and number of tasks a figure for each of `SEEDS`."""
    seeds = ", ".join(map(str, SEEDS))
    head = ["optimizers", "tasks", f"IQM at {seeds} seeds", "its percentiles", "improvement", "its percentiles"]
    lines = []
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found:
        kinds.setdefault((row["scenario"], str(row["tasks"])), []).append(row)
    for kind, of_seeds in kinds.items():
        cells = [", ".join(f"{100 * float(row[name]):.0f}" for row in of_seeds) for name in COLUMNS[4:]]
        lines.append([*kind, *cells])
    return markdown(head, lines)


def main() -> None:
    Parser("coverage", __doc__).parse_args()  # there are no options

    def told() -> Iterator[dict[str, Any]]:
        for row in rows():
            print(*(row[name] for name in COLUMNS), file=sys.stderr)
            yield row

    write_csv(FILE, COLUMNS, told())
    PAGE.write_text(fill(PAGE, {"coverage": table(read_csv(FILE))}), encoding="utf-8")
    print(table(read_csv(FILE)))


if __name__ == "__main__":
    main()
