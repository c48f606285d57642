"""The rule of a decision: when it looks at the results, and how much of the error each look may spend."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.margin import margin_share
from sweeper.aggregate.points import margin_words
from sweeper.system.errors import BadInput

LOOKS = (3, 5, 8, 12, 20)  # seeds
LEVEL = 0.05
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Rule:
    """Fixed before the first run, and never changed by a result.

    Attributes:
        level: the chance, over all looks and pairs, that equal arms are called different.
        margin: of equivalence, as a share of 1; None: pairs are never called equivalent.
        looks: the number of seeds at each look, rising.
    """

    level: float = LEVEL
    margin: float | None = None
    looks: tuple[int, ...] = LOOKS

    def spent(self, look: int) -> float:
        """The part of `level` that a look may spend, in proportion to its new seeds.

        That is the linear spending function of Kim and DeMets (1987, Biometrika 74, 149-154). Each look's intervals
        hold at this level of their own, so by Bonferroni's inequality all of them hold together at `level`.
        """
        before = self.looks[look - 1] if look else 0
        return self.level * (self.looks[look] - before) / self.looks[-1]

    def words(self) -> str:
        seeds = ", ".join(map(str, self.looks))
        margin = "" if self.margin is None else f", equivalent within {margin_words(self.margin)}"
        percent = f"{100 * self.level:.12g}"  # of all digits: this line tells two rules apart
        return f"looks at {seeds} seeds; error of all looks and pairs together at most {percent} %{margin}"

    def as_json(self) -> dict[str, Any]:
        return {"level": self.level, "margin": self.margin, "looks": list(self.looks)}


def read_rule(given: dict[str, str], there: int | None = None) -> Rule:
    """The rule that the options ask for.

    Args:
        given: of `--level`, `--margin`, in percentage points, `--looks` and `--most-seeds` those that are given.
        there: the number of seeds of a field; the usual rule then looks once, at all of them: the newcomer's few runs
            are cheap, and a single look spends the whole level.

    Raises:
        BadInput: an option has no sense.
    """
    level = LEVEL
    if "--level" in given:
        level = _number("--level", given["--level"], "a share between 0 and 0.5, such as 0.05")
        if not 0 < level < 0.5:
            raise BadInput(f"--level {given['--level']}: must be a share between 0 and 0.5, such as 0.05")
    looks: tuple[int, ...] = LOOKS if there is None else (there,)
    if "--looks" in given:
        try:
            looks = tuple(int(text) for text in given["--looks"].split(","))
        except ValueError:
            looks = ()
        rising = all(a < b for a, b in itertools.pairwise(looks))
        if not looks or looks[0] < 2 or not rising or looks[-1] > MOST_SEEDS:
            raise BadInput(f"--looks {given['--looks']}: must be numbers of seeds from 2, rising, such as 3,5,8")
    if "--most-seeds" in given:
        most = _number("--most-seeds", given["--most-seeds"], "a number of seeds from 2")
        if most != int(most) or not 2 <= most <= MOST_SEEDS:
            raise BadInput(f"--most-seeds {given['--most-seeds']}: must be a number of seeds from 2 to {MOST_SEEDS}")
        looks = (*(look for look in looks if look < most), int(most))
    if there is not None and looks[-1] > there:
        option = next(name for name in ("--most-seeds", "--looks") if name in given)
        raise BadInput(f"{option} {given[option]}: must be at most {there}, the seeds of the field")
    return Rule(level, margin_share(given.get("--margin")), looks)


def _number(option: str, text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"{option} {text}: must be {what}")
    return number
