"""What a check found: one line of what, where and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass

from sweeper.system.text import printable, shortened

MOST_NAMED = 3  # places of one finding that its line names


@dataclass(frozen=True)
class Finding:
    """One thing that doesn't hold, or with `problem` false one that a reader should know."""

    what: str
    where: str
    advice: str = ""
    problem: bool = True


def note(what: str, where: str) -> Finding:
    return Finding(what, where, problem=False)


def lines(findings: Iterable[Finding]) -> list[str]:
    """A line for each; the same one at several places is a line that names the first of them. Problems come last."""
    places: dict[tuple[bool, str, str], list[str]] = {}
    for one in findings:
        places.setdefault((one.problem, one.what, one.advice), []).append(one.where)
    found = []
    for (problem, what, advice), where in sorted(places.items(), key=lambda item: item[0][0]):
        more = f" and {len(where) - MOST_NAMED} more" if len(where) > MOST_NAMED else ""
        each = ", each" if len(where) > 1 else ""
        text = f"{', '.join(where[:MOST_NAMED])}{more}{each}: {what}{f'; {advice}' if advice else ''}"
        found.append(f"{'problem' if problem else 'note'}: {shortened(printable(text))}")
    return found
