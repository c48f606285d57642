"""What may stand in a cell, and what is damage."""

import math

import pytest

from sweeper.runs.checks import AMOUNT, COUNT, DEVICE, EPOCHS, FLAG, NUMBER, OPTION, SECONDS, SEED, SHARE, TEXT, Damaged
from sweeper.system.text import LONGEST_TEXT

ACCEPTED = [
    (TEXT, ["", "lion", "x" * LONGEST_TEXT]),
    (NUMBER, [-1, 0.5, 2**63 - 1]),
    (SHARE, [0, 1, 0.25]),
    (AMOUNT, [0, 2.0**62]),
    (SECONDS, [0, 0.5, 1e9]),
    (EPOCHS, [0, 2**31 - 1]),
    (SEED, [0, 10**30, 10**100 - 1]),
    (COUNT, [0, 2**63 - 1]),
    (FLAG, [True, False]),
    (DEVICE, ["cuda", "mps", "cpu"]),
    (OPTION, [math.nan, -math.inf, True, 3, "x"]),
]
REFUSED = [
    (TEXT, [5, ["x"], "x" * (LONGEST_TEXT + 1)]),
    (NUMBER, [True, "1", math.nan, math.inf, 2**63]),
    (SHARE, [-0.01, 1.01, math.nan, False]),
    (AMOUNT, [-1, math.inf, 1e308]),
    (SECONDS, [-1, math.nan, 1e300, True, [1]]),
    (EPOCHS, [-1, 1.0, 2**31, True]),
    (SEED, [-1, 1.0, True, "1", 10**100, 10**400]),
    (COUNT, [-1, 0.5, 2**63, True]),
    (FLAG, [0, 1, "true"]),
    (DEVICE, ["CUDA", "tpu", 0, ["cpu"]]),
    (OPTION, [2**63, "x" * (LONGEST_TEXT + 1), {}]),
]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in ACCEPTED for value in values])
def test_what_fits_passes_unchanged(kind, value):
    assert kind.check("option", value) is value


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in REFUSED for value in values])
def test_what_does_not_fit_is_named_with_what_it_must_be(kind, value):
    with pytest.raises(Damaged) as damage:
        kind.check("option", value)
    assert str(damage.value).startswith("option is ") and str(damage.value).endswith(f"; it must be {kind.words}")


@pytest.mark.parametrize("kind", [kind for kind, _ in ACCEPTED])
def test_an_empty_cell_is_of_every_kind(kind):
    assert kind.check("option", None) is None


def test_a_text_is_read_as_one_line():
    assert TEXT.check("tag", "a\nb") == "a b"
