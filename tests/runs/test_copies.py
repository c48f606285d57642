"""Of several runs of one configuration and seed one counts, by no order of folders and by no result."""

import itertools

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.frame import load_results
from sweeper.runs.copies import count, describe_repeats
from sweeper.runs.results import Results, read_results

FURTHEST_FIRST = ("diverged", "interrupted of 3 epochs", "interrupted of 1 epoch", "damaged")


def make_copy(outputs, state: str):
    directory = make_run(outputs, "running" if "interrupted" in state else state.replace("damaged", "completed"))
    if state == "interrupted of 1 epoch":
        lines = (directory / "metrics.csv").read_text().splitlines(keepends=True)
        (directory / "metrics.csv").write_text("".join(lines[:2]))
    if state == "damaged":
        (directory / "run.json").write_text('{"schema_vers')


@pytest.mark.parametrize("reverse", [False, True], ids=["best first", "best last"])
@pytest.mark.parametrize("k", range(len(FURTHEST_FIRST) - 1))
def test_of_a_run_in_two_folders_the_whole_and_furthest_counts(tmp_path, k, reverse):
    make_copy(tmp_path / "a", FURTHEST_FIRST[k])
    make_copy(tmp_path / "b", FURTHEST_FIRST[k + 1])
    best = read_results([tmp_path / "a"]).runs[0]
    folders = [tmp_path / "a", tmp_path / "b"]
    results = read_results(reversed(folders) if reverse else folders)
    assert [run.values for run in results.runs] == [best.values | {"outputs": str(tmp_path / "a")}]
    assert len(results.left_out) == 1


def at(time: str) -> dict[str, str]:
    return {"started": f"2026-11-25T{time}Z"}


def read_in_each_order(folders) -> list[Results]:
    return [read_results(order) for order in itertools.permutations(folders)]


def test_of_repeats_that_differ_the_one_that_began_first_counts_in_any_order_of_the_folders(tmp_path):
    """By no accuracy: the first is the middle one."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, accuracy, time in zip(folders, (0.7, 0.8, 0.9), ("11:00", "10:00", "12:00"), strict=True):
        make_run(folder, accuracy=accuracy, environment=at(time))
    for results in read_in_each_order(folders):
        assert [run.values["final_test_accuracy"] for run in results.runs] == [0.8]
        assert count(results.left_out) == (0, 0, 2)
        assert describe_repeats(results.left_out) == (
            "2 repeats have another result: of each run the one with the earlier start counts, and "
            "repeats enter nothing"
        )
    assert load_results(folders).attrs == {"merged": 2, "repeats": 2}


def test_where_nothing_tells_which_began_first_the_path_decides(tmp_path):
    for environment in (None, at("10:00")):
        folders = [tmp_path / str(environment is None) / name for name in ("a", "b")]
        for folder, accuracy in zip(folders, (0.7, 0.8), strict=True):
            make_run(folder, accuracy=accuracy, environment=environment)
        for results in read_in_each_order(folders):
            assert [run.values["final_test_accuracy"] for run in results.runs] == [0.7]


@pytest.mark.parametrize(
    ("first", "again"), [("completed", "diverged"), ("diverged", "completed")], ids=["diverged later", "diverged first"]
)
def test_no_repeat_hides_a_diverged_run(tmp_path, first, again):
    make_run(tmp_path / "b", first, environment=at("10:00"))
    make_run(tmp_path / "a", again, environment=at("11:00"))
    for results in read_in_each_order([tmp_path / "a", tmp_path / "b"]):
        assert [run.status for run in results.runs] == [first]
        assert describe_repeats(results.left_out) == (
            "1 repeat has another result: of each run the one with the earlier start counts, and repeats "
            f"enter nothing; 1 {again} where the first {first}"
        )


def test_the_same_result_is_a_copy_whatever_its_seconds_were(tmp_path):
    make_run(tmp_path / "a", environment=at("10:00"))
    change_record(
        make_run(tmp_path / "b", environment=at("11:00")), result__train_seconds=9.0, result__steps_to_target=5
    )
    results = read_results([tmp_path / "a", tmp_path / "b"])
    assert count(results.left_out) == (1, 0, 0) and describe_repeats(results.left_out) == ""


def test_another_loss_is_another_result(tmp_path):
    make_run(tmp_path / "a")
    change_record(make_run(tmp_path / "b"), result__final_train_loss=0.33)
    assert count(read_results([tmp_path / "a", tmp_path / "b"]).left_out) == (0, 0, 1)


@pytest.mark.parametrize("status", ["failed", "interrupted", "pruned"])
def test_an_unfinished_run_gives_way_to_a_finished_one_that_began_later(tmp_path, status):
    make_run(tmp_path / "a", status, environment=at("10:00"))
    make_run(tmp_path / "b", environment=at("11:00"))
    for results in read_in_each_order([tmp_path / "a", tmp_path / "b"]):
        assert [run.status for run in results.runs] == ["completed"]
        assert count(results.left_out) == (0, 1, 0)


def test_of_a_run_and_its_damaged_copy_the_whole_one_counts(tmp_path):
    (make_run(tmp_path / "a", environment=at("10:00")) / "metrics.csv").write_text("")
    make_run(tmp_path / "b", environment=at("10:00"))
    for results in read_in_each_order([tmp_path / "a", tmp_path / "b"]):
        assert [run.values["outputs"] for run in results.runs] == [str(tmp_path / "b")]


def test_of_two_damaged_runs_of_one_name_the_path_decides(tmp_path):
    for folder, text in (("b", ""), ("a", "[]")):
        (make_run(tmp_path / folder) / "run.json").write_text(text)
    for results in read_in_each_order([tmp_path / "a", tmp_path / "b"]):
        assert [run.values["error"] for run in results.runs] == ["run.json: not a run's record"]
        assert len(results.left_out) == 1
