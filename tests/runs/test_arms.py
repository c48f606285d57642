"""The names that sweeps gave to runs: the last sweep with a run says how it is shown."""

import threading
import time

import pytest

from sweeper.runs import arms as module
from sweeper.runs.arms import ArmsByFolder, read_arms, record_arms


def runs(folder, *names):
    return [folder / "digits-mlp" / name for name in names]


def test_the_last_sweep_with_a_run_names_it(tmp_path):
    a, b, c = runs(tmp_path, "a", "b", "c")
    record_arms(tmp_path, [{"plain": [a, b], "mine": [c]}], [a, b, c])
    assert {run: arm for run, (_, arm) in read_arms(tmp_path).items()} == {
        "digits-mlp/a": "plain",
        "digits-mlp/b": "plain",
        "digits-mlp/c": "mine",
    }
    record_arms(tmp_path, [{"base": [b]}], [b])
    assert read_arms(tmp_path) == {
        "digits-mlp/a": (1, "plain"),
        "digits-mlp/b": (1, "base"),
        "digits-mlp/c": (1, "mine"),
    }
    record_arms(tmp_path, [], [a, c])  # a sweep without arms
    assert read_arms(tmp_path) == {"digits-mlp/b": (1, "base")}


def test_comparisons_with_one_baseline_are_one(tmp_path):
    base, a, b, c, d = runs(tmp_path, "base", "a", "b", "c", "d")
    record_arms(tmp_path, [{"base": [base], "first": [a]}], [base, a])
    record_arms(tmp_path, [{"other": [b], "another": [c]}], [b, c])
    record_arms(tmp_path, [{"base": [base], "second": [d]}], [base, d])
    number = {run.removeprefix("digits-mlp/"): found for run, (found, _) in read_arms(tmp_path).items()}
    assert number == {"base": 2, "a": 2, "d": 2, "b": 1, "c": 1}


def test_a_name_that_is_given_anew_leaves_the_runs_that_it_had(tmp_path):
    base, old, new, seed = runs(tmp_path, "base", "old", "new", "new-seed2")
    record_arms(tmp_path, [{"base": [base], "mine": [old]}], [base, old])
    record_arms(tmp_path, [{"base": [base], "mine": [new, seed]}], [base, new, seed])
    record_arms(tmp_path, [{"base": [base], "mine": [new]}], [base, new])  # fewer seeds of the same arm
    assert {run: arm for run, (_, arm) in read_arms(tmp_path).items()} == {
        "digits-mlp/base": "base",
        "digits-mlp/old": "",
        "digits-mlp/new": "mine",
        "digits-mlp/new-seed2": "mine",
    }


def test_a_sweep_of_no_named_run_writes_nothing(tmp_path):
    record_arms(tmp_path, [], runs(tmp_path, "a"))
    assert not [*tmp_path.iterdir()]
    record_arms(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))
    before = (tmp_path / "arms.json").stat()
    record_arms(tmp_path, [{"mine": runs(tmp_path, "a")}], runs(tmp_path, "a"))  # the same sweep again
    record_arms(tmp_path, [], runs(tmp_path, "b"))
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
        threading.Thread(target=record_arms, args=(tmp_path, [{name: runs(tmp_path, name)}], runs(tmp_path, name)))
        for name in "abc"
    ]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
    assert {arm for _, arm in read_arms(tmp_path).values()} == {"a", "b", "c"}
    assert [file.name for file in tmp_path.iterdir()] == ["arms.json"]


def test_arms_with_the_same_run_are_shown_as_equal(tmp_path):
    (a,) = runs(tmp_path, "a")
    record_arms(tmp_path, [{"first": [a], "second": [a]}], [a])
    assert read_arms(tmp_path)["digits-mlp/a"] == (0, "first = second")


def test_a_run_is_found_from_its_directory_alone(tmp_path, monkeypatch):
    (a,) = runs(tmp_path / "outputs", "a")
    a.mkdir(parents=True)
    record_arms(tmp_path / "outputs", [{"mine": [a]}], [a])
    monkeypatch.chdir(tmp_path)
    arms = ArmsByFolder()
    assert arms.of(a) == arms.of("outputs/digits-mlp/a") == (0, "mine")
    assert arms.of("outputs/digits-mlp/b") is arms.of("a") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"comparisons": [{"a": "b"}]}', '{"comparisons": [3]}', '{"comparisons": [{"a": [1]}]}']
)
def test_a_file_that_is_none_names_no_run(tmp_path, text):
    (tmp_path / "arms.json").write_text(text)
    assert read_arms(tmp_path) == {}


def test_a_name_can_not_harm_a_terminal(tmp_path):
    (tmp_path / "arms.json").write_text('{"comparisons": [{"a\\u001b[2J": ["b/c"]}]}')
    assert "\x1b" not in read_arms(tmp_path)["b/c"][1]
