"""The page shows a decision: the rule, each look at each pair, and the sentence of the end."""

import json
import math

import pytest
from made_runs import make_run

from sweeper.decide.judge import Result, judge
from sweeper.decide.record import content, write
from sweeper.decide.rule import Rule
from sweeper.decide.words import answer
from sweeper.report.command import main
from sweeper.report.decision import read_decisions

RULE = Rule(margin=0.002, looks=(2, 3))
RUNS = {"a": {1: Result(0.9), 2: Result(0.91)}, "b": {1: Result(0.8), 2: Result(math.nan, diverged=True)}}


@pytest.fixture
def decided(tmp_path):
    decision = judge(("a", "b"), RUNS, RULE)
    write(tmp_path, content(RULE, {}, decision, answer(decision, RULE), "against=study: digits, mlp; <b>; seeds 1, 2"))
    return tmp_path


def test_its_looks_and_rule_are_read(decided):
    (shown,) = read_decisions([decided, decided / "none"])
    assert "Looks at 2, 3 seeds" in shown.rule[0] and "at most 5 %. Equivalent: within ±0.2 points." in shown.rule[0]
    assert shown.rule[1] == "Compared with finished runs: against=study: digits, mlp; <b>; seeds 1, 2."
    (line,) = shown.looks.rows
    assert [cell.text for cell in line.cells] == ["1", "2", "a", "b", "1", "+10.00", "–", "open; b diverged in 1"]


def test_a_tuning_is_told(decided):
    tuned = {"a": {"runs": "../t", "rule": "tuned first", "values": {"lr": 1e-3}, "chosen": "90 %, of 9 trials"}}
    write(decided, json.loads((decided / "decision.json").read_text()) | {"tuned": tuned})
    assert read_decisions([decided])[0].rule[2] == "a: tuned first. Chosen: lr 0.001; 90 %, of 9 trials."


def test_the_page_has_the_section(decided, capsys):
    make_run(decided)
    assert main([str(decided)]) == 0
    page = (decided / "report.html").read_text(encoding="utf-8")
    assert '<section id="decision">' in page and '<a href="#decision">Decision</a>' in page
    assert json.loads((decided / "decision.json").read_text())["answer"].split(";")[0] in page
    assert "&lt;b&gt;" in page and "<b>; seeds" not in page
    (decided / "decision.json").unlink()
    assert main([str(decided)]) == 0
    assert '<section id="decision">' not in (decided / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "[]", '{"answer": 1}', '{"answer": "a", "rule": {}, "looks": [{"pairs": 1}]}'])
def test_a_file_that_is_no_decision_is_told(tmp_path, text):
    (tmp_path / "decision.json").write_text(text)
    (shown,) = read_decisions([tmp_path])
    assert shown.answer == "decision.json isn't a decision's file, so it isn't shown." and not shown.looks.rows


def test_a_file_that_can_not_be_read_is_told(tmp_path, monkeypatch):
    def broken(path, most):
        raise OSError(5, "Input/output error", str(path))

    (tmp_path / "decision.json").write_text("{}")
    monkeypatch.setattr("sweeper.report.decision.read_file", broken)
    (shown,) = read_decisions([tmp_path])
    assert shown.answer == "decision.json can't be read (Input/output error), so it isn't shown."
