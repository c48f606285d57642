"""A value that is written is the value that Hydra reads."""

import doctest

import pytest

from sweeper.config import grammar
from sweeper.config.grammar import as_word, quoted, value_text
from sweeper.config.overrides import parse_overrides

TEXTS = ["lion", "it's", r"a\'b", "true", "1e5", "a b,c", "", "/x/y", "naïve", "ſ"]
VALUES = [None, True, 3, -0.5, 1e-8, float("inf"), *TEXTS]
BACKSLASHES = ["end\\\n", "a\\b", "a\\\\b", "end\\", "end\\\\", "a\\'b", "a\\\\'b", "\\"]


@pytest.mark.parametrize("value", [*VALUES, VALUES, {"a": 1, "b": "c d", "e": [None, "2"]}], ids=str)
def test_what_is_written_is_read_again(value):
    (override,) = parse_overrides([f"x={value_text(value)}"])
    assert override.value() == value


@pytest.mark.parametrize("text", BACKSLASHES)
@pytest.mark.parametrize("write", [value_text, as_word, quoted, lambda text: value_text([text])])
def test_a_backslash_is_one_wherever_it_stands(write, text):
    (override,) = parse_overrides([f"x={write(text)}"])
    assert override.value() in (text, [text])


@pytest.mark.parametrize("text", [*TEXTS, "null", "True", "false", "NaN", "inf", "nullable"])
def test_a_word_is_read_as_a_text_whatever_it_looks_like(text):
    (override,) = parse_overrides([f"outputs={as_word(text)}"])
    assert override.value() == text


def test_the_examples_hold():
    assert doctest.testmod(grammar).failed == 0
