"""Validates the cells of the table: the kinds of values, and texts that every file, terminal and encoding accepts."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from sweeper.system.limits import LARGEST_INTEGER, LARGEST_SEED, MOST_EPOCHS, MOST_SECONDS
from sweeper.system.text import LONGEST_TEXT, printable


class Damaged(Exception):
    """A file in a run directory is damaged. One line."""


@dataclass(frozen=True)
class Kind:
    """A kind of value: its description for errors, and its test."""

    words: str
    fits: Callable[[Any], bool]

    def check(self, name: str, value: Any) -> Any:
        """The validated value, made printable if it is a text. None is an empty cell and passes.

        Raises:
            Damaged: the value is of another kind.
        """
        if value is None:
            return None
        if not self.fits(value):
            raise Damaged(f"{name} is {value!r:.40}; it must be {self.words}")
        return printable(value) if isinstance(value, str) else value


def is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_plain_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is an integer or a float, be it infinite or NaN."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a finite number within the range that tables accept. A bool isn't a number."""
    if isinstance(value, float):
        return math.isfinite(value)
    return is_integer(value) and abs(value) < LARGEST_INTEGER


TEXT = Kind(f"a text of at most {LONGEST_TEXT} characters", lambda v: isinstance(v, str) and len(v) <= LONGEST_TEXT)
NUMBER = Kind("a number", is_number)
SHARE = Kind("a number from 0 to 1", lambda v: is_number(v) and 0 <= v <= 1)
AMOUNT = Kind("a number from 0 to 2^63", lambda v: is_number(v) and 0 <= v < LARGEST_INTEGER)
SECONDS = Kind("seconds from 0 to a thousand years", lambda v: is_number(v) and 0 <= v <= MOST_SECONDS)
SEED = Kind("an integer of at least 0 and at most 100 digits", lambda v: is_integer(v) and 0 <= v < LARGEST_SEED)
COUNT = Kind("an integer from 0 to 2^63", lambda v: is_integer(v) and 0 <= v < LARGEST_INTEGER)
EPOCHS = Kind("an integer from 0 to 2^31", lambda v: is_integer(v) and 0 <= v < MOST_EPOCHS)
FLAG = Kind("true or false", lambda v: isinstance(v, bool))
DEVICE = Kind("cuda, mps or cpu", lambda v: v in ("cuda", "mps", "cpu"))
# An option of a third-party class may be infinite or NaN.
OPTION = Kind(
    f"a value below 2^63 or a text of at most {LONGEST_TEXT} characters",
    lambda v: isinstance(v, (bool, float)) or TEXT.fits(v) or is_number(v),
)
