"""The rule is fixed beforehand: its looks rise, and its error is spent whole and never more."""

import pytest

from sweeper.decide.rule import LOOKS, Rule, read_rule
from sweeper.system.errors import BadInput


@pytest.mark.parametrize("looks", [LOOKS, (2,), (3, 5), (4, 9, 100)])
def test_all_looks_together_spend_the_level(looks):
    rule = Rule(0.05, None, looks)
    assert sum(rule.spent(k) for k in range(len(looks))) == pytest.approx(0.05)
    assert all(rule.spent(k) > 0 for k in range(len(looks)))


def test_options():
    assert read_rule({}) == Rule(0.05, None, (3, 5, 8, 12, 20))
    assert read_rule({"--margin": "0.2", "--level": "0.1", "--most-seeds": "10"}) == Rule(0.1, 0.002, (3, 5, 8, 10))
    assert read_rule({"--looks": "2,4", "--most-seeds": "3"}).looks == (2, 3)
    assert read_rule({}, 5).looks == (5,) and read_rule({"--looks": "3,5"}, 5).looks == (3, 5)
    with pytest.raises(BadInput, match="--most-seeds 6: must be at most 5, the seeds of the field"):
        read_rule({"--most-seeds": "6"}, 5)
    assert "3, 5, 8, 12, 20 seeds" in read_rule({}).words() and " 7 %" in Rule(0.07).words()
    assert Rule(0.05).words() != Rule(0.050000001).words()  # which a refusal tells apart


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--margin", "0"),
        ("--margin", "-1"),
        ("--margin", "nan"),
        ("--margin", "much"),
        ("--level", "0"),
        ("--level", "0.5"),
        ("--level", "95"),
        ("--looks", "5,3"),
        ("--looks", "3,3"),
        ("--looks", "1,3"),
        ("--looks", ""),
        ("--looks", "3;5"),
        ("--most-seeds", "1"),
        ("--most-seeds", "2.5"),
        ("--most-seeds", "1e9"),
    ],
)
def test_an_option_without_sense_is_refused_in_a_line(option, text):
    with pytest.raises(BadInput) as refused:
        read_rule({option: text})
    assert str(refused.value).startswith(f"{option} {text}: must be ") and "\n" not in str(refused.value)
