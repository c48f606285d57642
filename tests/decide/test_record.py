"""decision.json: one rule from the first run to the last, and looks that follow from the runs."""

import errno
import json
import os

import pytest
from json_schema import check

from sweeper.decide.judge import Result, judge
from sweeper.decide.record import check_looks, check_recorded, content, recorded_order, write
from sweeper.decide.rule import Rule
from sweeper.system.errors import BadInput

RULE = Rule(looks=(2, 3))
ARMS = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3"]}


@pytest.fixture
def begun(tmp_path):
    runs = {"a": {1: Result(0.9), 2: Result(0.91)}, "b": {1: Result(0.9), 2: Result(0.89)}}
    decision = judge(("a", "b"), runs, RULE)
    document = content(RULE, ARMS, decision, "Undecided.")
    check("decision", document)
    write(tmp_path, document)
    return tmp_path, decision


def test_the_same_question_goes_on(begun):
    folder, decision = begun
    recorded = check_recorded(folder, RULE, ARMS)
    assert [look["seeds"] for look in recorded] == [2]
    check_looks(folder, recorded, decision)
    assert check_recorded(folder / "elsewhere", RULE, ARMS) == []


@pytest.mark.parametrize(
    ("rule", "arms", "told"),
    [
        (Rule(looks=(2, 4)), {arm: [*runs, f"{arm}4"] for arm, runs in ARMS.items()}, "was begun by another rule"),
        (
            Rule(margin=0.01, looks=(2, 3)),
            ARMS,
            r"together at most 5 %\) than is asked for \(looks at 2, 3 seeds; .* 5 %, equivalent within ±1 point\)",
        ),
        (RULE, {"a": ARMS["a"], "c": ["c1", "c2", "c3"]}, "is about other arms"),
    ],
)
def test_another_question_or_rule_is_refused_in_a_line(begun, rule, arms, told):
    with pytest.raises(BadInput, match=told):
        check_recorded(begun[0], rule, arms)


@pytest.mark.parametrize(
    "other", [{"arms": {"a": ["a1"], "c": ["c1"]}}, {"rule": Rule(looks=(2, 4)).as_json()}, {"field": "another field"}]
)
def test_two_commands_at_once_dont_write_over_each_others_decision(begun, other):
    """Both found no file when they began."""
    folder, decision = begun
    before = (folder / "decision.json").read_bytes()
    with pytest.raises(BadInput, match="written by a command with another rule or other arms, and stays; decide"):
        write(folder, content(RULE, ARMS, decision, "Undecided.") | other)
    assert (folder / "decision.json").read_bytes() == before
    write(folder, content(RULE, ARMS, decision, "The same one, further on."))
    assert "The same one, further on." in (folder / "decision.json").read_text()
    assert [path.name for path in folder.iterdir()] == ["decision.json"]


def test_another_tuning_is_refused_before_it_begins(begun):
    folder, decision = begun
    plan = {"runs": "../tuning/a", "rule": "tuned first"}
    with pytest.raises(BadInput, match="is about other arms"):
        check_recorded(folder, RULE, None, None, {"a": plan})
    tuned = {"a": plan | {"values": {"lr": 0.1}, "chosen": "90 %"}}
    write(folder, content(RULE, ARMS, decision, "Undecided.", None, tuned))
    assert check_recorded(folder, RULE, None, None, {"a": plan}) and check_recorded(folder, RULE, ARMS, None, tuned)
    for arms, other in ((None, {"a": plan | {"rule": "other"}}), (None, {"b": plan}), (ARMS, None)):
        with pytest.raises(BadInput, match="is about other arms"):
            check_recorded(folder, RULE, arms, None, other)
    write(folder, content(RULE, ARMS, decision, "Undecided.") | {"tuned": [3]})
    with pytest.raises(BadInput, match="isn't a decision's file"):
        check_recorded(folder, RULE, None, None, {"a": plan})


def test_a_look_that_was_edited_is_told(begun):
    folder, decision = begun
    document = json.loads((folder / "decision.json").read_text())
    document["looks"][0]["pairs"][0]["difference"] = 0.5
    write(folder, document)
    with pytest.raises(BadInput, match="look 1 isn't what the runs' records say"):
        check_looks(folder, check_recorded(folder, RULE, ARMS), decision)


def test_arms_are_looked_at_in_the_order_of_the_first_look():
    assert recorded_order([{"arms": ["b", "a", "fields"]}], ["c", "a", "b"]) == ["b", "a", "c"]
    for nothing in ([], [{}], [3], [{"arms": 3}]):
        assert recorded_order(nothing, ["b", "a"]) == ["b", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"rule": 1, "looks": 2, "arms": {}}',
        "{" * 100_000,
    ],
)
def test_a_file_that_is_no_decision_is_told(tmp_path, text):
    (tmp_path / "decision.json").write_text(text)
    with pytest.raises(BadInput, match=r"decision\.json: isn't a decision's file; move it away"):
        check_recorded(tmp_path, RULE, ARMS)


def test_one_that_can_not_be_read_is_not_to_be_moved_away(tmp_path):
    """It may be whole, and what it says of looks that were taken would be lost."""
    (tmp_path / "decision.json").mkdir()
    with pytest.raises(BadInput, match=r"decision\.json: can't be read: Is a directory$"):
        check_recorded(tmp_path, RULE, ARMS)


def test_a_full_disk_is_told_with_what_to_do(begun, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    folder, decision = begun
    before = (folder / "decision.json").read_bytes()
    monkeypatch.setattr("sweeper.decide.record.write_atomically", full)
    with pytest.raises(BadInput) as told:
        write(folder, content(RULE, ARMS, decision, "Another answer."))
    why = "can't be written: No space left on device; make room there, or make it writable; the same command goes on"
    assert str(told.value) == f"{folder}/decision.json: {why}"
    assert (folder / "decision.json").read_bytes() == before and [path.name for path in folder.iterdir()] == [
        "decision.json"
    ]
