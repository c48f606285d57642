"""`python -m benchmarks.decide`: simulates the rule of `sweeper.decide`: wrong claims, right claims, and seeds used.

Scores are normal. In each row all arms are equal, or the first is `lead` points better than all others; it scatters
`scatter` times as much as they do. With `field` it is a newcomer, and the others are a field of so many seeds. `wrong`
is the share of decisions with any wrong claim of a difference, `different` the share of the first's pairs that are
found, `warned` the share of decisions with the warning of unequal scatter, and `seeds` the mean over arms and
decisions, of 20 that a fixed design would train. Writes `benchmarks/results/decide.csv`; `docs/decide.md` has its
table.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command_line import Parser
from benchmarks.figures import fill, write_csv
from sweeper.decide.judge import DIFFERENT, EQUIVALENT, Result, judge
from sweeper.decide.rule import LOOKS, Rule
from sweeper.decide.words import describe_scatter

FILE = Path(__file__).parent / "results" / "decide.csv"
PAGE = Path(__file__).parent.parent / "docs" / "decide.md"
COLUMNS = (
    "arms",
    "lead",
    "margin",
    "scatter",
    "field",
    "decisions",
    "different",
    "wrong",
    "equivalent",
    "warned",
    "seeds",
)
DEVIATION = 0.15  # points
DECISIONS = 2000


def rows(decisions: int = DECISIONS) -> list[dict[str, Any]]:
    asked = [(arms, lead, None) for arms in (2, 5) for lead in (0.0, 0.2, 0.4)]
    margins = [(2, 0.0, 0.2), (5, 0.0, 0.2), (5, 0.0, 0.3), (10, 0.0, 0.35)]
    found = [simulate(*one, decisions) for one in [*asked, *margins]]
    found += [simulate(5, 0.0, None, decisions, scatter) for scatter in (2, 4)]
    return found + [simulate(6, 0.0, None, decisions, scatter, field=5) for scatter in (1, 2, 4)]


def simulate(
    arms: int, lead: float, margin: float | None, decisions: int, scatter: int = 1, field: int = 0
) -> dict[str, Any]:
    """One row.

    Args:
        lead: of the first arm over all others, in points.
        margin: of equivalence, in points.
    """
    rule = Rule(margin=None if margin is None else margin / 100, looks=(field,) if field else LOOKS)
    numbers = np.random.default_rng([arms, int(100 * lead), int(100 * (margin or 0))])
    names = tuple(f"arm {k}" for k in range(arms))
    own = {frozenset((names[0], name)) for name in names[1:]} if field else None
    different = wrong = equivalent = warned = seeds = 0.0
    pairs = arms * (arms - 1) / 2
    for _ in range(decisions):
        scores = numbers.normal(scale=DEVIATION / 100, size=(arms, rule.looks[-1]))
        scores[0] = scatter * scores[0] + lead / 100
        runs = {m: {s + 1: Result(v) for s, v in enumerate(row)} for m, row in zip(names, scores.tolist(), strict=True)}
        decision = judge(names, runs, rule, own)
        verdicts = decision.verdicts()
        called = [v for v in verdicts if v.verdict == DIFFERENT]
        right = [v for v in called if lead and v.a == names[0]]
        different += len(right) / (arms - 1)
        wrong += len(called) > len(right)
        equivalent += sum(v.verdict == EQUIVALENT for v in verdicts) / pairs
        warned += bool(describe_scatter(decision, rule))
        used = {m: look.seeds for look in decision.looks for m in look.arms}
        seeds += sum(used.values()) / arms
    shares = {"different": different, "wrong": wrong, "equivalent": equivalent, "warned": warned, "seeds": seeds}
    row = {"arms": arms, "lead": lead, "margin": margin, "scatter": scatter, "field": field, "decisions": decisions}
    return row | {name: round(value / decisions, 4) for name, value in shares.items()}


def table(found: Sequence[dict[str, Any]]) -> str:
    """The table of `docs/decide.md`, from the rows of the CSV."""
    head = ["arms", "first better by", "margin", "any wrong claim", "first's pairs found", "equivalent pairs", "warned"]
    head.append("seeds an arm")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in found:
        lead, margin, field = float(row["lead"]), row["margin"], int(row["field"])
        scatter = f", scatters {row['scatter']} times" if int(row["scatter"]) > 1 else ""
        cells = [
            f"newcomer, {int(row['arms']) - 1} in the field" if field else row["arms"],
            f"{lead:g} points" if lead else f"equal{scatter}",
            f"±{float(margin):g}" if margin not in (None, "") else "–",
            f"{100 * float(row['wrong']):.1f} %",
            f"{100 * float(row['different']):.0f} %" if lead else "–",
            f"{100 * float(row['equivalent']):.0f} %" if margin not in (None, "") else "–",
            f"{100 * float(row['warned']):.0f} %",
            f"{float(row['seeds']):.1f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> int:
    Parser("decide", __doc__).parse_args()  # there are no options
    found = rows()
    write_csv(FILE, COLUMNS, found)
    PAGE.write_text(fill(PAGE, {"decide": table(found)}), encoding="utf-8")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
