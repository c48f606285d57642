"""An error of any package is told in a line; a misspelt name is told with the nearest right one."""

import doctest

import pytest

from sweeper.system import errors
from sweeper.system.errors import first_line, named, nearest, one_line


def test_the_examples_hold():
    assert doctest.testmod(errors).failed == 0


class Mute(RuntimeError):
    """One whose message is code that fails, as a user's own may be."""

    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    "error",
    [ValueError(), ValueError("\n \n"), KeyError("a\nb"), SystemExit(), SystemExit(Mute()), OSError(2, "a\nb"), Mute()],
)
def test_every_error_is_one_line_that_says_something(error):
    for words in (one_line(error), first_line(error), named(error)):
        assert words.strip() and "\n" not in words


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("wd", ["lr", "weight_decay"], "weight_decay"),
        ("optimizer.wd", ["optimizer.lr", "optimizer.weight_decay"], "optimizer.weight_decay"),
        ("ad", ["adam", "lion"], "adam"),
        ("", ["adam", "lion"], None),
        ("zzz", ["adam", "lion"], None),
        ("lr", [], None),
    ],
)
def test_the_nearest_is_named_only_where_one_is_near(word, choices, meant):
    words = nearest(word, choices)
    assert words.startswith(f"did you mean '{meant}'?") if meant else "did you mean" not in words
    assert all(choice in words for choice in choices)
