"""`python -m benchmarks.power`: simulates how often the comparison of a task claims a difference, falsely and rightly.

Scores are normal. Each row simulates studies of so many methods and seeds twice with the same noise: with equal methods
(error: the share of studies with any claim) and with one method that is `LEAD` points better (power: the share of its
pairs that are claimed). Beside it stand paired t tests with Holm's correction, and the share of studies that get the
warning of unequal scatter. Writes `benchmarks/results/power.csv`; `docs/statistics.md` has its table.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtr

from benchmarks.command_line import Parser
from benchmarks.figures import markdown, read_csv, write_csv
from sweeper.aggregate.block_design import BlockDesign
from sweeper.aggregate.comparisons import quantile
from sweeper.aggregate.scatter import plain_scatter

FILE = Path(__file__).parent / "results" / "power.csv"
COLUMNS = ("scenario", "methods", "seeds", "studies", "error", "power", "error_paired", "power_paired", "warned")
STUDIES = 100_000
WARNINGS = 2_000  # studies of each row that are searched for unequal scatter
SEEDS = (3, 5, 10)
LEAD = 0.4  # points
DEVIATION = 0.15  # points, of the residual
STUDY = (0.05, 0.18, 0.11, 0.11, 0.22)  # of the five optimizers of docs/study/cifar10 after 100 epochs
SHARED = 0.2  # share of the variance that is the seed's effect on all methods alike
RATIOS = (2, 4, 8)


def rows(studies: int = STUDIES) -> Iterator[dict[str, Any]]:
    for methods in (2, 3, 5, 10, 18):
        for n in SEEDS:
            yield simulate("equal scatter", [DEVIATION] * methods, n, studies)
    for n in SEEDS:
        yield simulate("seeds matter", [DEVIATION * (1 - SHARED) ** 0.5] * 5, n, studies, DEVIATION * SHARED**0.5)
    for n in SEEDS:
        yield simulate("the study's scatters", STUDY, n, studies)
    for n in SEEDS:
        yield simulate("lowest run diverged", [DEVIATION] * 5, n, studies, missing="lowest")
    for n in SEEDS:
        yield simulate("two runs missing", [DEVIATION] * 5, n, studies, missing="two")
    for ratio in RATIOS:
        for methods in (3, 5, 10, 18):
            for n in SEEDS:
                deviations = [DEVIATION] * (methods - 1) + [ratio * DEVIATION]
                yield simulate(f"one scatters {ratio} times", deviations, n, studies)


def simulate(
    scenario: str, deviations: Sequence[float], n: int, studies: int, of_seeds: float = 0.0, missing: str = ""
) -> dict[str, Any]:
    """One row. `missing` is "" for none, `two` for one run each of two methods, `lowest` for the best method's."""
    numbers = np.random.default_rng([len(deviations), n, *scenario.encode()])
    methods = len(deviations)
    noise = numbers.normal(size=(studies, methods, n)) * np.array(deviations)[:, None]
    noise += of_seeds * numbers.normal(size=(studies, 1, n))
    there = np.ones((methods, n), dtype=bool)
    if missing == "two":
        there[1, 0] = there[2, 1] = False
    if missing == "lowest":  # the seed of the first method's lowest score becomes the first seed
        there[0, 0] = False
        lowest = noise[:, 0].argmin(axis=1)
        order = (np.arange(n) + lowest[:, None]) % n
        noise = np.take_along_axis(noise, order[:, None, :], axis=2)
    winners = np.array([missing != "lowest", *[True] * (methods - 1)])  # who diverged is never the better one
    lead = np.zeros((methods, 1))
    lead[0] = LEAD
    equal, led = better(noise, there, winners), better(noise + lead, there, np.ones(methods, dtype=bool))
    figures = {"error": equal.any(axis=(1, 2)).mean(), "power": led[:, 0, 1:].mean()}
    if not missing:
        figures["error_paired"] = paired(noise).any(axis=(1, 2)).mean()
        figures["power_paired"] = paired(noise + lead)[:, 0, 1:].mean()
        residuals = BlockDesign(there).fit(noise[:WARNINGS])[1]
        figures["warned"] = np.mean([plain_scatter(dict(enumerate(one))) is not None for one in residuals])
    row = {"scenario": scenario, "methods": methods, "seeds": n, "studies": studies}
    return row | {name: round(float(value), 4) for name, value in figures.items()}


def better(scores: np.ndarray, there: np.ndarray, winners: np.ndarray) -> np.ndarray:
    """(studies, methods, methods): whether the first is claimed to be better than the second."""
    design = BlockDesign(there)
    effects, residuals = design.fit(scores)
    half = quantile(len(there), design.df) / np.sqrt(2) * design.errors()
    differences = effects[:, :, None] - effects[:, None, :]
    claimed: np.ndarray = differences > design.deviation(residuals)[:, None, None] * half
    claimed &= winners[:, None] & ~np.eye(len(there), dtype=bool)
    return claimed


def paired(scores: np.ndarray) -> np.ndarray:
    """The same by paired t tests of all pairs with Holm's correction."""
    studies, methods, n = scores.shape
    i, j = np.triu_indices(methods, 1)
    differences = scores[:, i] - scores[:, j]
    middle = differences.mean(axis=2)
    p = 2 * stdtr(n - 1, -np.abs(middle) / differences.std(axis=2, ddof=1) * np.sqrt(n))
    order = np.argsort(p, axis=1)
    steps = np.take_along_axis(p, order, axis=1) * np.arange(len(i), 0, -1)
    found = np.zeros(p.shape, dtype=bool)
    np.put_along_axis(found, order, np.maximum.accumulate(steps, axis=1) < 0.05, axis=1)
    claimed = np.zeros((studies, methods, methods), dtype=bool)
    claimed[:, i, j], claimed[:, j, i] = found & (middle > 0), found & (middle < 0)
    return claimed


def table() -> str:
    """The recorded figures in Markdown, in percent: a line for each kind of study, a figure for each of `SEEDS`."""
    seeds = ", ".join(map(str, SEEDS))
    head = ["scatter", "optimizers", f"error at {seeds} seeds", "power", "power of paired t tests", "warned"]
    lines = []
    kinds: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_csv(FILE):
        kinds.setdefault((row["scenario"], row["methods"]), []).append(row)
    for kind, of_seeds in kinds.items():
        cells = [[row[name] for row in of_seeds] for name in ("error", "power", "power_paired", "warned")]
        words = (", ".join(f"{100 * float(cell):.1f}" for cell in three) if all(three) else "–" for three in cells)
        lines.append([*kind, *words])
    return markdown(head, lines)


def error_rates() -> dict[int, dict[int, float]]:
    """The largest simulated error by the number of methods and the ratio, as `sweeper.aggregate.scatter` tells it."""
    found: dict[int, dict[int, float]] = {}
    for row in read_csv(FILE):
        if row["scenario"].startswith("one scatters "):
            rates = found.setdefault(int(row["methods"]), {})
            ratio = int(row["scenario"].split()[2])
            rates[ratio] = max(rates.get(ratio, 0.0), round(float(row["error"]), 3))
    return found


def main() -> None:
    Parser("power", __doc__).parse_args()  # there are no options

    def told() -> Iterator[dict[str, Any]]:
        for row in rows():
            print(*(row.get(name, "–") for name in COLUMNS), file=sys.stderr)
            yield row

    write_csv(FILE, COLUMNS, told())
    print(table())


if __name__ == "__main__":
    main()
