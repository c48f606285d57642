"""One run directory, whole or broken, is one row, and never a traceback."""

import json
import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_runs import change_record, make_config, make_rows, make_run

from sweeper.aggregate.frame import to_frame
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.tables import show, to_csv, to_latex, to_markdown
from sweeper.runs.agreement import describe_files
from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import FROM_RESULT
from sweeper.runs.record import read_run
from sweeper.runs.results import Results
from sweeper.runs.rows import FROM_CONFIG, read_row
from sweeper.runs.status import RECORDED, Status
from sweeper.system.lock import Lock
from sweeper.train.record import summarize_rows


def row(directory) -> dict:
    return read_row(str(directory), "run").values


def test_a_finished_run_is_told_by_its_record_alone(tmp_path):
    directory = make_run(tmp_path, optimizer__betas=[0.9, 0.99])
    (directory / "metrics.csv").unlink()
    values = row(directory)
    assert (values["status"], values["error"]) == ("completed", None)
    assert (values["dataset"], values["model"], values["optimizer"], values["seed"]) == ("digits", "cnn", "sgd", 1)
    assert (values["final_test_accuracy"], values["best_test_accuracy"], values["best_epoch"]) == (0.9, 0.91, 2)
    assert values["optimizer.betas"] == "[0.9, 0.99]" and values["schedule.name"] == "cosine"
    shown_in_front = {source for source, _ in FROM_CONFIG.values() if "." in source}
    assert not shown_in_front & set(values)


def test_a_target_that_was_never_reached_is_infinite(tmp_path):
    directory = make_run(tmp_path)
    change_record(directory, result__steps_to_target="inf")
    assert row(directory)["steps_to_target"] == math.inf


def test_a_diverged_run_has_no_final_accuracy_whatever_its_record_says(tmp_path):
    directory = make_run(tmp_path, "diverged", error="epoch 2, step 31: loss nan")
    change_record(directory, result__final_test_accuracy=0.1)
    values = row(directory)
    assert values["final_test_accuracy"] is None and values["best_test_accuracy"] == 0.91
    assert values["error"] == "epoch 2, step 31: loss nan"


def test_a_run_that_trains_has_its_figures_so_far(tmp_path):
    directory = make_run(tmp_path, "running", target_accuracy=0.9)
    with Lock(directory / "run.lock"):
        values = row(directory)
    assert values["status"] == "running" and values["final_test_accuracy"] is None
    assert (values["best_test_accuracy"], values["best_epoch"], values["steps_to_target"]) == (0.91, 2, 40)
    assert values["train_seconds"] == 1.5


def test_a_running_run_whose_owner_is_gone_reads_interrupted(tmp_path):
    assert row(make_run(tmp_path, "running"))["status"] == "interrupted"


def test_a_run_that_ends_while_it_is_read_has_ended(tmp_path, monkeypatch):
    """Its owner writes the record and lets go of the lock between the reads of the two."""
    run, reads = make_run(tmp_path, "running"), []

    def read_then_end(directory, own):
        reads.append(read_run(directory, own))
        make_run(tmp_path)
        return reads[-1]

    monkeypatch.setattr("sweeper.runs.rows.read_run", read_then_end)
    assert row(run)["status"] == "completed"
    assert reads[0]["status"] == "running"


def test_a_run_that_begins_anew_while_it_is_read_is_no_finished_one_without_its_files(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    change_record(run, files=describe_files(run))

    def read_then_move(directory, own):
        record = read_run(directory, own)
        for name in ("run.json", "metrics.csv"):
            (run / name).unlink()
        return record

    monkeypatch.setattr("sweeper.runs.rows.read_run", read_then_move)
    with Lock(run / "run.lock"):
        assert row(run) == {"run": "run", "status": "running"}


def test_figures_so_far_are_those_of_the_record(tmp_path):
    """The same rows, read back from metrics.csv and counted by what writes run.json."""
    config = make_config(target_accuracy=0.85)
    rows = [r | {"val_accuracy": r["test_accuracy"] / 2} for r in make_rows([0.3, 0.9, 0.9, 0.7])]
    directory = RunDirectory(tmp_path)
    directory.write_run("running", config, {})
    directory.write_metrics(rows)
    recorded = summarize_rows(rows, config, {}, Status.INTERRUPTED, shared=False)
    values = row(tmp_path)
    assert {name: values[name] for name in FROM_RESULT if name != "shared_device"} == {
        name: recorded[name] for name in FROM_RESULT if name != "shared_device"
    }


@pytest.mark.parametrize(("cost", "shared"), [(1.6, False), (1.4, None), (None, False)])
def test_a_run_that_cost_less_than_its_training_is_not_known_to_have_been_alone(tmp_path, cost, shared):
    directory = make_run(tmp_path, environment={"device_seconds": cost})  # of 1.5 s of training
    assert row(directory)["shared_device"] is shared
    change_record(directory, result__shared_device=True)
    assert row(directory)["shared_device"] is True


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_metrics_cut_off_in_the_middle_count_as_far_as_they_are_whole(tmp_path, cut):
    directory = make_run(tmp_path, "running")
    file = directory / "metrics.csv"
    file.write_bytes(file.read_bytes()[:-cut])
    values = row(directory)
    whole = file.read_text().count("\n") - 1
    assert values["status"] == "interrupted"
    assert values["best_epoch"] == {2: 2, 1: 1}[whole]
    assert values["error"] == f"metrics.csv: cut off after {'1 whole row' if whole == 1 else '2 whole rows'}"


def test_metrics_that_are_none_are_named(tmp_path):
    directory = make_run(tmp_path, "running")
    (directory / "metrics.csv").write_text("step,loss\n1,2\n")
    assert row(directory)["best_test_accuracy"] is None
    assert row(directory)["error"] == "metrics.csv: its first line is not the names of the metrics"


def test_a_run_that_has_just_begun_is_no_damaged_one(tmp_path):
    with Lock(tmp_path / "run.lock"):
        assert row(tmp_path)["status"] == "running"
    assert row(tmp_path) == {"run": "run", "status": "damaged", "error": "there is no run.json"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"config__dataset__name": math.nan}, "dataset.name is nan"),
        ({"config__dataset": 5}, "dataset is missing"),
        ({"config__optimizer__name": ["sgd"]}, "optimizer.name is ['sgd']"),
        ({"config__seed": True}, "seed is True"),
        ({"config__seed": None}, "seed is missing"),
        ({"config__noise__rate": 1.5}, "noise.rate is 1.5; it must be a number from 0 to 1"),
        ({"config__tag": "x" * 1_000_000}, "tag is 'xxxx"),
        ({"config__optimizer__lr": 10**400}, "optimizer.lr is 1000"),
        ({"config__model__width": 10**400}, "model.width is 1000"),
        ({"config__model__x": {str(k): k for k in range(1001)}}, "more than 1000 values"),
        ({"environment__device": "tpu"}, "environment.device is 'tpu'; it must be cuda, mps or cpu"),
        ({"environment__versions": ["2.0"]}, "environment.versions"),
        ({"result__final_test_accuracy": True}, "result.final_test_accuracy is True"),
        ({"result__final_test_accuracy": math.nan}, "result.final_test_accuracy is nan"),
        ({"result__final_test_accuracy": None}, "result.final_test_accuracy is missing"),
        ({"result__best_epoch": 2.5}, "result.best_epoch is 2.5"),
        ({"result__train_seconds": -1}, "result.train_seconds is -1"),
        ({"result": None}, "result.final_test_accuracy is missing"),
        ({"error": {"a": 1}}, "error is {'a': 1}"),
        ({"schema_version": 2}, "of schema 2, this sweeper reads up to 1"),
        ({"status": "done"}, "not a run's record of schema 1"),
    ],
)
def test_nonsense_is_a_damaged_row_that_says_why(tmp_path, changes, reason):
    directory = make_run(tmp_path)
    change_record(directory, **changes)
    values = row(directory)
    assert values["status"] == "damaged"
    assert values["error"].startswith("run.json: ") and reason in values["error"]
    assert len(values["error"]) < 300


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": ' + b"9" * 5000 + b"}", b"null"],
    ids=["empty", "cut", "list", "no UTF-8", "deep", "long number", "null"],
)
def test_a_record_that_is_none_is_a_damaged_row(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    assert row(tmp_path)["status"] == "damaged"


def test_a_deep_configuration_is_a_damaged_row(tmp_path):
    directory = make_run(tmp_path)
    depth = 100_000  # more than any Python's parser follows
    deep = '{"a":' * depth + "1" + "}" * depth
    file = directory / "run.json"
    file.write_text(file.read_text().replace('"tag": null', f'"tag": {deep}'))
    assert row(directory)["status"] == "damaged"
    file.write_text(file.read_text().replace(deep, "[" * depth + "]" * depth))
    assert row(directory)["status"] == "damaged"


def test_a_record_that_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    assert row(tmp_path)["status"] == "damaged"


def test_texts_become_one_printable_line(tmp_path):
    directory = make_run(tmp_path, "failed", error="CUDA error\n\tat \x1b[31mline 3\ud800", tag="a\nb")
    values = row(directory)
    assert values["error"] == "CUDA error  at  [31mline 3 " and values["tag"] == "a b"
    change_record(directory, error="x" * 1_000_000)
    assert len(row(directory)["error"]) == 1000


def test_a_seed_may_be_any_integer(tmp_path):
    run = read_row(str(make_run(tmp_path, seed=10**30)), "run")
    assert run.values["seed"] == 10**30
    assert to_frame(Results([run])).seed[0] == str(10**30)


def paths(node, prefix=()):
    for key, value in node.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**18, 2**63, -(10**400), 1e308, "=1+1", "\ud800", "\x00", "x" * 2000, "inf", {}, []])
    | st.floats()
    | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_record_says_the_tables_can_be_written(tmp_path, data):
    directory = make_run(tmp_path, data.draw(st.sampled_from(RECORDED)))
    file = directory / "run.json"
    record = json.loads(file.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        *nodes, key = data.draw(st.sampled_from(list(paths(record))))
        node = record
        for part in nodes:
            node = node[part]
        if data.draw(st.booleans()):
            node[key] = data.draw(ANYTHING)
        else:
            node.pop(key)
    file.write_text(json.dumps(record))
    runs = [read_row(str(directory), "run"), read_row(str(make_run(tmp_path, optimizer="lion")), "other")]
    assert runs[0].values["status"] in (*RECORDED, "damaged")
    results, summary = Results(runs), summarize(runs)
    to_csv(results.columns(), (run.values for run in runs))
    to_csv(summary.columns(), summary.rows)
    to_markdown(show(summary))
    to_latex(show(summary))
    to_frame(results).to_parquet(tmp_path / "results.parquet")


@pytest.mark.parametrize(
    ("recorded", "known"),
    [
        ({}, ("", "")),
        ({"device_name": ["a"], "started": 1}, ("", "")),
        ({"device_name": "a\nb", "started": "2025"}, ("a b", "2025")),
    ],
)
def test_what_a_run_was_computed_on_is_in_its_row_where_it_is_recorded(tmp_path, recorded, known):
    run = read_row(str(make_run(tmp_path, environment=recorded)), "run")
    assert (run.device_name, run.started) == known and run.values["status"] == "completed"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 400))
def test_whatever_stands_in_metrics_the_row_can_be_read(tmp_path, junk, keep):
    directory = make_run(tmp_path, "running")
    file = directory / "metrics.csv"
    file.write_bytes(file.read_bytes()[:keep] + junk)
    assert row(directory)["status"] in ("interrupted", "damaged")
