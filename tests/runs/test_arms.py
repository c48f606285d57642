"""The names that sweeps gave to runs: the last sweep with a run says how it is shown."""

import threading
import time

import pytest

from sweeper.runs import arms as module
from sweeper.runs.arms import ArmsByFolder, Member, joined, read_arms, record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.system.errors import BadInput


def runs(folder, *names):
    return [folder / "digits-mlp" / name for name in names]


def record(outputs, comparisons, asked, **more):
    return record_arms(outputs, AskedRuns(asked, comparisons, **more))


def names(outputs):
    return {run.removeprefix("digits-mlp/"): member.arm for run, member in read_arms(outputs).items()}


def test_the_last_sweep_of_arms_with_a_run_names_it_and_one_without_leaves_the_name(tmp_path):
    a, b, c = runs(tmp_path, "a", "b", "c")
    record(tmp_path, [{"plain": [a, b], "mine": [c]}], [a, b, c])
    assert names(tmp_path) == {"a": "plain", "b": "plain", "c": "mine"}
    record(tmp_path, [{"base": [b]}], [b])
    assert read_arms(tmp_path) == {
        "digits-mlp/a": Member({0: "plain"}, "plain"),
        "digits-mlp/b": Member({0: "plain", 1: "base"}, "base"),
        "digits-mlp/c": Member({0: "mine"}, "mine"),
    }
    record(tmp_path, [], [a, c])  # a sweep without arms
    assert names(tmp_path) == {"a": "plain", "b": "base", "c": "mine"}
    assert {run for run, member in read_arms(tmp_path).items() if member.unnamed} == {"digits-mlp/a", "digits-mlp/c"}


def test_a_run_that_was_there_before_its_sweep_of_arms_is_compared_without_them_too(tmp_path):
    there, new = runs(tmp_path, "there", "new")
    for _ in range(2):  # the same sweep again, after all runs have ended
        record(tmp_path, [{"mine": [there], "other": [new]}], [there, new], before={there: None})
        assert {run.name: read_arms(tmp_path)[f"digits-mlp/{run.name}"].unnamed for run in (there, new)} == {
            "there": True,
            "new": False,
        }
    record(tmp_path, [{"mine": [there], "other": [new]}], [there, new], before={there: None, new: None})
    assert not read_arms(tmp_path)["digits-mlp/new"].unnamed


def test_tuned_and_untuned_sweeps_that_ask_for_the_same_run_both_keep_it(tmp_path):
    trained_plain, trained_tuned, new = runs(tmp_path, "plain", "tuned", "new")
    at = "9 epochs"
    tuned = {"tuned": dict.fromkeys((trained_plain, trained_tuned, new), at)}
    record(tmp_path, [], [*tuned["tuned"]], before={trained_plain: None, trained_tuned: at}, **tuned)
    assert read_arms(tmp_path) == {"digits-mlp/plain": Member(tuned=frozenset({at}))}
    record(tmp_path, [], [trained_plain, trained_tuned], before={trained_plain: None, trained_tuned: at})
    assert read_arms(tmp_path) == {
        "digits-mlp/plain": Member(tuned=frozenset({at}), untuned=True),
        "digits-mlp/tuned": Member(untuned=True),
    }


CONSTANT, COSINE = {"b0": "base", "m0": "mine"}, {"b1": "base", "m1": "mine"}  # two of one sweep


@pytest.mark.parametrize(
    ("comparisons", "groups"),
    [
        ([{"b": "base", "x": "first"}, {"y": "other", "z": "another"}, {"b": "base", "w": "second"}], [[1], [0, 2]]),
        ([CONSTANT, COSINE, {"b0": "constant", "b1": "cosine"}], [[0], [1], [2]]),
        ([{"b0": "constant", "b1": "cosine"}, CONSTANT, COSINE], [[0], [1], [2]]),
        ([CONSTANT, COSINE, {"b0": "constant", "b1": "cosine"}, {"b0": "before", "b1": "after"}], [[0], [1], [2, 3]]),
        ([CONSTANT, COSINE, CONSTANT | {"n0": "new"}, COSINE | {"n1": "new"}], [[0, 2], [1, 3]]),
        ([{"a": "one", "b": "other"}, {"a": "both", "b": "both", "c": "third"}], [[0], [1]]),
        ([{"a": "both", "b": "both", "c": "third"}, {"a": "one", "b": "other"}], [[0], [1]]),
        ([{"a": "one", "b": "other"}, {"a": "all"}, {"b": "all"}], [[0, 1], [2]]),
        ([{"a": "cosine", "b": "constant"}, {"a": "sgd", "c": "lion"}], [[0], [1]]),
        ([{"a": "cosine", "b": "constant"}, {"a": "cosine", "b": "flat"}], [[0, 1]]),
        ([{}, {"a": "cosine", "b": "constant"}, {"c": "sgd", "d": "lion"}], [[0], [1], [2]]),
    ],
    ids=[
        *("baseline", "bridge", "bridge first", "bridge again", "superset", "merged", "split", "alone"),
        *("another question", "renamed", "an empty one"),
    ],
)
def test_comparisons_that_share_something_are_one_unless_that_mixes_what_they_compare(comparisons, groups):
    assert joined(comparisons) == groups


def test_no_sweep_of_arms_drops_what_another_compares(tmp_path):
    a, b, c = runs(tmp_path, "a", "b", "c")
    first = {"one": [a], "other": [b]}
    record(tmp_path, [first], [a, b])
    record(tmp_path, [{"all": [a]}, {"all": [b]}], [a, b])  # by an axis, of which each value is a comparison
    record(tmp_path, [{"both": [a, b], "third": [c]}], [a, b, c])
    assert {0: "one"}.items() <= read_arms(tmp_path)["digits-mlp/a"].arms.items()
    assert {0: "other"}.items() <= read_arms(tmp_path)["digits-mlp/b"].arms.items()
    record(tmp_path, [{"mine": [a], "its": [b], "third": [c]}], [a, b, c])  # only new names for the first
    assert {*read_arms(tmp_path)["digits-mlp/a"].arms.values()} == {"both", "mine"}


def test_a_name_that_is_given_anew_leaves_the_runs_that_it_had(tmp_path):
    base, old, new, seed = runs(tmp_path, "base", "old", "new", "new-seed2")
    record(tmp_path, [{"base": [base], "mine": [old]}], [base, old])
    record(tmp_path, [{"base": [base], "mine": [new, seed]}], [base, new, seed])
    record(tmp_path, [{"base": [base], "mine": [new]}], [base, new])  # fewer seeds of the same arm
    assert names(tmp_path) == {"base": "base", "old": "", "new": "mine", "new-seed2": "mine"}


def test_a_sweep_of_no_named_run_writes_nothing(tmp_path):
    record(tmp_path, [], runs(tmp_path, "a"))
    assert not [*tmp_path.iterdir()]
    record(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))
    before = (tmp_path / "arms.json").stat()
    record(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))  # the same sweep again
    record(tmp_path, [], runs(tmp_path, "b"))
    after = (tmp_path / "arms.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_sweeps_that_begin_at_once_lose_no_name(tmp_path, monkeypatch):
    read = module._read

    def slowly(outputs):
        found = read(outputs)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(module, "_read", slowly)
    sweeps = [
        threading.Thread(target=record, args=(tmp_path, [{name: runs(tmp_path, name)}], runs(tmp_path, name)))
        for name in "abc"
    ]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
    assert {member.arm for member in read_arms(tmp_path).values()} == {"a", "b", "c"}
    assert [file.name for file in tmp_path.iterdir()] == ["arms.json"]


def test_arms_with_the_same_run_are_shown_as_equal(tmp_path):
    (a,) = runs(tmp_path, "a")
    record(tmp_path, [{"first": [a], "second": [a]}], [a])
    assert read_arms(tmp_path)["digits-mlp/a"] == Member({0: "first = second"}, "first = second")


def test_a_run_is_found_from_its_directory_alone(tmp_path, monkeypatch):
    (a,) = runs(tmp_path / "outputs", "a")
    a.mkdir(parents=True)
    record(tmp_path / "outputs", [{"mine": [a]}], [a])
    monkeypatch.chdir(tmp_path)
    arms = ArmsByFolder()
    assert arms.of(a) == arms.of("outputs/digits-mlp/a") == Member({0: "mine"}, "mine")
    assert arms.of("outputs/digits-mlp/b") is arms.of("a") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "{",
        '{"comparisons": [], "tuned": []}',
        '{"comparisons": [], "unnamed": [3]}',
        '{"comparisons": [{"a": "b"}]}',
        '{"comparisons": [3]}',
        '{"comparisons": [{"a": [1]}]}',
    ],
)
def test_a_damaged_file_is_refused_and_kept(tmp_path, text):
    """Without it tables would have other comparisons."""
    (tmp_path / "arms.json").write_text(text)
    with pytest.raises(BadInput, match=r"arms\.json: is damaged; .* which arms were compared"):
        read_arms(tmp_path)
    with pytest.raises(BadInput, match="is damaged"):
        record(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))
    assert (tmp_path / "arms.json").read_text() == text


def test_a_file_that_can_not_be_written_is_told(tmp_path, monkeypatch, capsys):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied", str(tmp_path / "arms.json"))

    record(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))
    monkeypatch.setattr(module, "write_shared", refuse)
    assert record(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))
    assert not capsys.readouterr().err, "they are recorded already"
    for _ in range(2):  # when a sweep begins, and at its end
        assert not record(tmp_path, [{"new": runs(tmp_path, "b")}], runs(tmp_path, "b"))
    said = capsys.readouterr().err
    assert said.count("arms.json: can't be written, so later tables don't know which arms were compared") == 1
    why = "Permission denied; make room there, or make it writable; the same command records it"
    assert said.endswith(f"which arms were compared: {why}\n") and said.count("\n") == 1


def test_a_name_can_not_harm_a_terminal(tmp_path):
    (tmp_path / "arms.json").write_text('{"comparisons": [{"a\\u001b[2J": ["b/c"]}]}')
    assert "\x1b" not in read_arms(tmp_path)["b/c"].arm
