"""A search by Optuna through the real command line: equal budgets, pruning, resumption, and what is refused."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import yaml
from conftest import merged, run_module

TINY = ("dataset=digits", "model=mlp", "dataset.train_limit=300", "epochs=3", "device=cpu", "device.threads=1")
SEARCH = ("-m", "experiment=search", "optimizer=sgd,adam", *TINY, "hydra.sweeper.startup_trials=1")
JOBLIB = (*merged(*SEARCH, "optimizer=sgd"), "lr_factor=1", "optimizer.momentum=0.9,0.8", "divergence_loss=3")
JOBLIB += ("weight_decay_factor=tag(log, interval(2, 1e9))", "hydra.sweeper.trials=2", "hydra.sweeper.trials_at_once=2")
JOBLIB += ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "epochs=1")
BASIC = (*SEARCH, "hydra/launcher=basic", "hydra.sweeper.trials_at_once=1")

# Commands one after another in one process, which imports torch once; of each a line of its folder and its words.
IN_ONE_PROCESS = """
import json, os, sys
from sweeper.train import command, sweep
from sweeper.train.search import carry_out
answers = os.fdopen(os.dup(1), "w")
update_tables = carry_out.update_tables
for line in sys.stdin:
    folder, arguments, tables = json.loads(line)
    os.chdir(folder)
    for stream, name in ((1, "told"), (2, "errors")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), stream)
    carry_out.update_tables = sweep.update_tables = update_tables if tables else lambda *sweep: True
    sys.argv = ["train.py", *arguments]
    code = command.main()
    sys.stdout.flush()
    print(code, file=answers, flush=True)
"""


def trials(outputs):
    """What the storage holds of each study's trials, in their order."""
    import optuna

    storage = f"sqlite:///{outputs / 'search.db'}"
    return {
        name: [
            (t.state.name, t.params, t.values, t.intermediate_values, t.user_attrs)
            for t in optuna.load_study(study_name=name, storage=storage).trials
        ]
        for name in optuna.get_all_study_names(storage)
    }


def records(outputs):
    return {path.parent.name: json.loads(path.read_text()) for path in outputs.glob("*/*/run.json")}


@pytest.fixture(scope="module")
def carry_out():
    """Carries out a command in a folder. Returns what it told on stdout and on stderr."""
    command = [sys.executable, "-c", IN_ONE_PROCESS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def call_in(folder, *words, tables=False):
            process.stdin.write(f"{json.dumps([str(folder), merged(*words), tables])}\n")
            process.stdin.flush()
            code = process.stdout.readline()
            told, errors = ((folder / name).read_text() for name in ("told", "errors"))
            assert code == "0\n", errors
            return told, errors

        yield call_in
        process.stdin.close()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory, carry_out):
    folder = tmp_path_factory.mktemp("untouched")
    told, _ = carry_out(folder, *BASIC, "hydra.sweeper.trials=3", tables=True)
    return SimpleNamespace(folder=folder, outputs=folder / "outputs", told=told)


@pytest.mark.slow
def test_each_optimizer_has_the_same_budget_and_begins_at_the_same_factors(untouched):
    found = trials(untouched.outputs)
    assert sorted(name.split("/")[1].split("-")[0] for name in found) == ["adam", "sgd"]
    adam, sgd = (found[name] for name in sorted(found))
    assert len(adam) == len(sgd) == 3 and len(records(untouched.outputs)) == 6
    assert adam[0][1] == sgd[0][1] == {"lr_factor": 1, "weight_decay_factor": 1}
    assert adam[1][1] == sgd[1][1] and len({str(trial[1]) for trial in sgd}) == 3
    for study in found:  # named by the run at the usual values, which is its first one
        assert records(untouched.outputs)[study.split("/")[1]]["status"] == "completed"


@pytest.mark.slow
def test_a_pruned_run_is_marked_keeps_its_checkpoint_and_goes_on_to_its_end_when_asked_for(
    untouched, tmp_path, carry_out
):
    pruned = {name: record for name, record in records(untouched.outputs).items() if record["status"] == "pruned"}
    assert pruned and len(pruned) == sum(
        t[0] == "PRUNED" for study in trials(untouched.outputs).values() for t in study
    )
    with (untouched.outputs / "results.csv").open() as file:
        rows = {row["run"].split("/")[1]: row for row in csv.DictReader(file)}
    with (untouched.outputs / "summary.csv").open() as file:
        summary = list(csv.DictReader(file))
    assert sum(int(row["n_pruned"]) for row in summary) == len(pruned)
    assert all(row["final_test_accuracy_mean"] == "" for row in summary if row["n_pruned"] == "1")
    for name, record in pruned.items():
        assert rows[name]["status"] == "pruned" and rows[name]["final_test_accuracy"] == ""
        assert "pruned after epoch 2" in record["error"] == rows[name]["error"]
        assert "prune_below" not in json.dumps(record)
        assert list(untouched.outputs.glob(f"*/{name}/checkpoint.pt"))
    name, record = next(iter(pruned.items()))
    shutil.copytree(untouched.outputs, tmp_path / "outputs")
    _, errors = carry_out(tmp_path, *record["environment"]["overrides"], "hydra/launcher=basic")
    assert re.search(rf"outputs/\S+/{name}: going on from the checkpoint: epoch 3, step 1\n", errors)
    assert records(tmp_path / "outputs")[name]["status"] == "completed"


@pytest.mark.slow
def test_a_search_killed_anywhere_and_given_more_trials_has_the_same_trials_in_the_end(untouched, tmp_path, carry_out):
    command = [sys.executable, "-m", "sweeper.train", *merged(*BASIC, "hydra.sweeper.trials=2")]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(records(tmp_path / "outputs")) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors and process.returncode == -9
    carry_out(tmp_path, *BASIC, "hydra.sweeper.trials=3")
    assert trials(tmp_path / "outputs") == trials(untouched.outputs)
    assert {n: r["status"] for n, r in records(tmp_path / "outputs").items()} == {
        n: r["status"] for n, r in records(untouched.outputs).items()
    }


@pytest.mark.slow
def test_a_lost_storage_is_made_again_from_the_runs(untouched, tmp_path, carry_out):
    shutil.copytree(untouched.outputs, tmp_path / "outputs")
    (tmp_path / "outputs" / "search.db").unlink()
    _, errors = carry_out(tmp_path, *BASIC, "hydra.sweeper.trials=3")
    assert "completed, test" not in errors
    assert trials(tmp_path / "outputs") == trials(untouched.outputs)


@pytest.mark.slow
def test_of_more_trials_only_the_additional_ones_are_carried_out_and_unequal_budgets_are_told(
    untouched, tmp_path, carry_out
):
    shutil.copytree(untouched.outputs, tmp_path / "outputs")
    told, errors = carry_out(tmp_path, *merged(*BASIC, "optimizer=sgd"), "hydra.sweeper.trials=4")
    assert "3 done already" in errors and len(records(tmp_path / "outputs")) == 7
    before, after = trials(untouched.outputs), trials(tmp_path / "outputs")
    adam, sgd = sorted(before)
    assert after[adam] == before[adam] and after[sgd][:3] == before[sgd] and len(after[sgd]) == 4
    equal = "the same command with optimizer=adam hydra.sweeper.trials=4 makes them so"
    assert f"budgets are NOT equal: adam 3, sgd 4 trials; {equal}" in told
    assert "NOT equal" not in untouched.told


@pytest.mark.slow
def test_the_best_by_validation_is_told_and_written_to_be_committed(untouched):
    """Also where test accuracies say otherwise."""
    for path in untouched.outputs.glob("*/*/run.json"):
        record = json.loads(path.read_text())
        if record["status"] == "completed":
            record["result"]["final_test_accuracy"] = 1 - record["result"]["final_val_accuracy"]
            path.write_text(json.dumps(record))
    done = run_module("choose", "outputs", cwd=untouched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "of 3 trials" in done.stdout and "pruned" in done.stdout
    chosen = yaml.safe_load(done.stdout)
    for optimizer, values in chosen.items():
        accuracies = {
            r["config"]["optimizer"]["lr"]: r["result"]["final_val_accuracy"]
            for r in records(untouched.outputs).values()
            if r["status"] == "completed" and r["config"]["optimizer"]["name"] == optimizer
        }
        assert accuracies[values["lr"]] == max(accuracies.values())
        assert f"{optimizer:<11}{100 * max(accuracies.values()):.2f} %" in untouched.told
        assert str(values["lr"]) in untouched.told and str(values["weight_decay"]) in untouched.told


@pytest.mark.slow
def test_by_joblib_a_batch_is_asked_at_once_and_a_diverged_trial_counts_as_the_worst(tmp_path, carry_out):
    told, errors = carry_out(tmp_path, *JOBLIB)
    assert re.search(r"^optimizer +validation +lr +weight decay +momentum +trials", told, re.MULTILINE)
    assert "2 trials of each optimizer are asked for at once" in errors
    assert "sgd: usual values lie outside of the space, so its first trial is drawn" in errors
    (study,) = trials(tmp_path / "outputs").values()
    statuses = [trial[4]["sweeper.status"] for trial in study]
    assert len(study) == 2 and "diverged" in statuses
    assert all(trial[2] == [0.0] for trial, status in zip(study, statuses, strict=True) if status == "diverged")
    assert [trial[4]["sweeper.epochs"] for trial in study] == [1, 1]
    assert {trial[1]["optimizer.momentum"] for trial in study} <= {"0.9", "0.8"}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("lr_factor=interval(10,0.1)",), "the lower end comes first and is below the upper one"),
        (("lr_factor=tag(log,interval(0,1))",), "on a log scale the lower end must be above 0"),
        (("lr_factor=tag(lag,interval(1,2))",), "the only tag of an interval is log"),
        (("seed=1,2",), "seed=1,2: a search has one value of seed; only options of the optimizer"),
        (("dataset.validation_fraction=0",), "a search chooses by validation images alone; hold some out"),
        (("optimizer.lr=interval(0.1,1)",), "optimizer.lr and lr_factor are both searched over; fix one of them"),
        (("lr_factor=1", "weight_decay_factor=1"), "nothing to search over; give e.g. 'lr_factor=tag(log"),
        (("hydra.sweeper.trials=0",), "hydra.sweeper.trials=0: must be an integer of at least 1"),
        (("hydra.sweeper.sampler=tpo",), "did you mean 'tpe'?"),
        (("rerun=true",), "rerun=true: a search continues with the existing runs; start another with outputs=DIR"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_makes_no_search_is_refused_in_a_line(call, tmp_path, words, error):
    code, _, told = call(*merged(*BASIC, *words))
    assert code == 2 and error in told and told.startswith("error: ") and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_train_is_found_before_anything_is_written(call, tmp_path):
    code, _, told = call(*merged(*BASIC, "dataset=folder"), "dataset.root=nowhere")
    assert code == 2 and told.startswith("error: ") and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_plan_of_a_search_is_refused_with_what_tells_it(capsys):
    from sweeper.plan.command import main

    assert main([*BASIC]) == 2
    assert "plan a trial of each optimizer by experiment=tune" in capsys.readouterr().err


def test_two_searches_at_once_are_refused(tmp_path, call):
    (tmp_path / "outputs").mkdir()
    command = "import sys, time\nfrom pathlib import Path\nfrom sweeper.system.lock import Lock\n"
    command += "with Lock(Path('outputs/search.lock')):\n    print('held', flush=True)\n    time.sleep(60)\n"
    process = subprocess.Popen([sys.executable, "-c", command], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        code, _, told = call(*BASIC)
        assert code == 2 and "runs a search here; wait for it" in told
    finally:
        process.kill()
        process.communicate()


def test_without_optuna_the_extra_is_named(call, monkeypatch):
    import importlib.metadata

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    code, _, told = call(*BASIC)
    assert code == 2 and told.count("\n") == 1
    assert "pip install 'optimizer-sweeper[tune]', or '.[tune]' from a clone" in told


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("lr_factor=interval(1,2)",), "begun with lr_factor tag(log,interval(0.1,10)), not interval(1,2)"),
        (("lr_factor=1",), "begun with lr_factor searched over, tag(log,interval(0.1,10))"),
        (("optimizer=sgd", "optimizer.momentum=0.8,0.9"), "begun with optimizer.momentum not searched over"),
        (("hydra.sweeper.warmup_epochs=2",), "begun with warmup_epochs 1, not 2"),
        (("hydra.sweeper.trials=2",), "sgd has had 3 trials already; equal budgets need 3 or more"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
@pytest.mark.slow  # by the search that they share
def test_another_space_other_rules_or_fewer_trials_under_the_same_study_are_refused(
    untouched, tmp_path, call, words, error
):
    (tmp_path / "outputs").mkdir()
    shutil.copy(untouched.outputs / "search.db", tmp_path / "outputs")
    code, _, told = call(*merged(*BASIC, "hydra.sweeper.trials=3", *words))
    assert code == 2 and error in told and told.count("\n") == 1
    with contextlib.closing(sqlite3.connect(tmp_path / "outputs" / "search.db")) as storage:
        assert storage.execute("select count(*) from trials").fetchone() == (6,)


def test_a_damaged_storage_is_refused_in_a_line(tmp_path, call):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "search.db").write_bytes(b"SQLite format 3\0" + b"damaged" * 200)
    code, _, told = call(*BASIC)
    assert code == 2 and told.count("\n") == 1
    assert "outputs/search.db: can't be used as a search's storage" in told
