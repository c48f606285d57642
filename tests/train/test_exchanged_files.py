"""A record or a checkpoint in another run's directory, after a copy gone wrong, is never taken for that run's own."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY
from forked import run_forked
from forked_children import run_all_forked
from made_runs import change_record, make_run

import sweeper
from sweeper.engine.devices import prepare_process
from sweeper.runs.agreement import disagreement, weights_disagreement
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.record import Damaged, OfAnotherRun, Refused, find_finished, read_run
from sweeper.runs.results import read_results
from sweeper.runs.rows import read_row
from sweeper.system.errors import BadInput
from sweeper.system.machine import cores
from tests.engine.test_loop import Stopped, configure, finish, start

RUNS = ("-m", *(word for word in TINY if word != "device.threads=1"), "model=mlp", "optimizer=sgd,adam")
RUNS += ("hydra/launcher=basic",)


def exchange(first: Path, second: Path) -> None:
    between = first.with_name("between")
    first.rename(between)
    second.rename(first)
    between.rename(second)


def two_runs(outputs: Path) -> tuple[Path, Path]:
    adam, sgd = sorted(outputs.glob("*/*-seed*"))
    return adam, sgd


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    done = run_all_forked("train", *RUNS, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "outputs"


@pytest.mark.slow
def test_exchanged_records_of_finished_runs_are_answered_by_nobody(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "outputs")
    adam, sgd = two_runs(tmp_path / "outputs")
    results = {directory: (directory / "model.safetensors").read_bytes() for directory in (adam, sgd)}
    exchange(adam / "run.json", sgd / "run.json")
    foreign = {directory: (directory / "run.json").read_bytes() for directory in (adam, sgd)}
    reasons = {a: f"run.json: of another run, digits-mlp/{b.name}" for a, b in ((adam, sgd), (sgd, adam))}

    row = read_row(str(adam), "a").values
    assert (row["status"], row["error"]) == ("damaged", reasons[adam])
    told = run_forked("aggregate", "outputs", cwd=tmp_path)
    assert told.returncode == 0 and "2 runs: 2 damaged" in told.stdout
    watched = run_forked("watch", "--once", "--json", "outputs", cwd=tmp_path)
    seen = {run["run"]: (run["status"], run["error"]) for run in json.loads(watched.stdout)["runs"]}
    assert seen == {f"digits-mlp/{d.name}": ("damaged", reasons[d]) for d in (adam, sgd)}
    for directory in (adam, sgd):
        assert f"damaged: digits-mlp/{directory.name}: {reasons[directory]}" in told.stdout
        with pytest.raises(OfAnotherRun):
            read_run(directory)
        assert find_finished(directory) is None

    done = run_forked("train", *RUNS, cwd=tmp_path)
    assert done.returncode == 0 and "already" not in done.stdout and "2 runs, 0 done already" in done.stderr
    for directory in (adam, sgd):
        path = directory.relative_to(tmp_path)
        line = f"{path}/{reasons[directory]}; the run is trained anew, and its files are kept in "
        assert f"{line}{path}/previous/1" in done.stdout + done.stderr
        assert (directory / "previous" / "1" / "run.json").read_bytes() == foreign[directory]
        assert (directory / "model.safetensors").read_bytes() == results[directory]
        assert find_finished(directory) is not None


@pytest.mark.slow
def test_files_that_are_not_a_finished_runs_own_are_reported_and_nothing_is_trained(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "outputs")
    adam, sgd = two_runs(tmp_path / "outputs")
    for directory in (adam, sgd):
        record = read_run(directory)
        assert set(record["files"]) == {"metrics.csv", "model.safetensors"}
        assert disagreement(directory, record) is None and weights_disagreement(directory, record, whole=True) is None
    exchange(adam / "metrics.csv", sgd / "metrics.csv")
    weights = (sgd / "model.safetensors").read_bytes()
    (sgd / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    before = {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*.*") if path.is_file()}
    one = [word for word in RUNS if word not in ("-m", "hydra/launcher=basic", "optimizer=sgd,adam")]
    done = run_all_forked("train", *one, "optimizer=sgd", cwd=tmp_path)
    assert done.returncode == 0 and "completed already, test" in done.stdout, done.stderr
    advice = "; put the run's own file back, or train again\n"
    assert "\n  metrics.csv is" in done.stdout
    assert f"\n  model.safetensors isn't the file that the run wrote{advice}" in done.stdout
    assert before == {path: path.read_bytes() for path in (tmp_path / "outputs").rglob("*.*") if path.is_file()}
    with pytest.raises(BadInput, match=r"model\.safetensors isn't the file that the run wrote; put it back"):
        sweeper.load_model(sgd)
    sweeper.load_model(adam)


@pytest.mark.slow
def test_a_foreign_record_beside_a_whole_checkpoint_is_kept_and_the_run_goes_on(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "outputs")
    adam, sgd = two_runs(tmp_path / "outputs")
    config = configure(*(word for word in RUNS if "=" in word and not word.startswith(("hydra", "optimizer"))))
    shutil.rmtree(sgd)
    prepare_process(cores())  # as the command trained the finished runs, whatever other tests have set here
    loop = start(config, sgd)
    next(loop)
    with pytest.raises(Stopped):
        loop.throw(Stopped())
    shutil.copy(adam / "run.json", sgd / "run.json")
    done = run_forked("train", *RUNS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert f"{sgd.name}/run.json: of another run, digits-mlp/{adam.name}; it is kept in " in said
    assert "going on from the checkpoint: epoch 1, step 1" in (sgd / "train.log").read_text()
    assert (sgd / "previous" / "1" / "run.json").read_bytes() == (adam / "run.json").read_bytes()
    weights = [folder / sgd.name / "model.safetensors" for folder in (sgd.parent, finished / "digits-mlp")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize("before", [False, True], ids=["the only one", "with one before it"])
def test_exchanged_checkpoints_are_refused(tmp_path, caplog, before):
    """Of one model and data; before, the run went on from the other's state, to another result without a word."""
    configs = {name: configure(f"optimizer={name}", "model=mlp", "epochs=3") for name in ("adam", "adamw")}
    whole = {name: finish(config, tmp_path / "whole" / name) for name, config in configs.items()}
    for name, config in configs.items():
        for steps in (6, 2) if before else (6,):
            loop = start(config, tmp_path / name)
            for _ in itertools.islice(loop, steps):
                pass
            with pytest.raises(Stopped):
                loop.throw(Stopped())
    latest = [tmp_path / name / CHECKPOINT_FILES[0] for name in configs]
    exchange(*latest)
    foreign = [file.read_bytes() for file in latest]
    end = "goes on from the one before it" if before else "begins anew"
    for (name, config), content in zip(configs.items(), foreign, strict=True):
        with caplog.at_level("INFO", "sweeper"):
            caplog.clear()
            assert finish(config, tmp_path / name) == whole[name]
        line = f"{tmp_path}/{name}/checkpoint.pt: of another run, digits-mlp/adam"
        assert line in caplog.text and f"; the run {end}" in caplog.text
        assert ("going on from the checkpoint" in caplog.text) == before
        assert (tmp_path / name / "previous" / "1" / "checkpoint.pt").read_bytes() == content


def test_old_checkpoints_of_another_optimizer_are_refused_by_their_form(tmp_path, caplog):
    """One that doesn't tell its run, of a version before it did."""
    from tests.engine.test_checkpoint import rewrite

    for name in ("sgd", "adam"):
        loop = start(configure(f"optimizer={name}", "model=mlp"), tmp_path / name)
        next(loop)
        with pytest.raises(Stopped):
            loop.throw(Stopped())
        rewrite(tmp_path / name / "checkpoint.pt", lambda state: state.pop("run"))
    exchange(tmp_path / "sgd" / "checkpoint.pt", tmp_path / "adam" / "checkpoint.pt")
    for name in ("sgd", "adam"):
        config = configure(f"optimizer={name}", "model=mlp")
        assert finish(config, tmp_path / name) == finish(config, tmp_path / "whole" / name)
    assert caplog.text.count("; the run begins anew") == 2


def test_a_record_is_believed_in_a_folder_that_was_moved_renamed_or_copied(tmp_path):
    directory = make_run(tmp_path / "outputs")
    for place in ("moved/outputs", "deep/er/still"):
        shutil.copytree(tmp_path / "outputs", tmp_path / place)
        assert find_finished(tmp_path / place / directory.relative_to(tmp_path / "outputs")) is not None
    for name in ("best", f"{directory.name}-copy", f"{directory.name} (2)", "1"):
        shutil.copytree(directory, tmp_path / "named" / name)
        assert find_finished(tmp_path / "named" / name) is not None


def test_a_record_without_the_version_of_its_identity_is_of_the_first(tmp_path):
    directory = make_run(tmp_path)
    record = json.loads((directory / "run.json").read_text())
    assert record.pop("identity_version") == 2
    (directory / "run.json").write_text(json.dumps(record))
    assert find_finished(directory) is not None


def test_a_record_of_a_newer_identity_stays(tmp_path):
    directory = make_run(tmp_path)
    change_record(directory, identity_version=3)
    with pytest.raises(Refused, match="of identity 3, this sweeper knows up to 2; update sweeper"):
        find_finished(directory)


def test_a_record_of_the_first_identity_keeps_its_name_whatever_its_precision(tmp_path):
    """Then a precision asked for by name was no part of it: the run lies where one of `auto` does."""
    directory = make_run(tmp_path, device__precision="auto")
    change_record(directory, identity_version=1, config__device__precision="fp32")
    found = find_finished(directory)
    assert found is not None and found["config"]["device"]["precision"] == "fp32"
    assert read_row(str(directory), "a").values["status"] == "completed"
    change_record(directory, identity_version=2)
    with pytest.raises(OfAnotherRun, match="of another run, digits-cnn/sgd-seed1-"):
        read_run(directory)


@pytest.mark.parametrize("config", [{}, {"dataset": "x"}, {"dataset": {"name": "digits"}}])
def test_a_record_of_no_configuration_is_of_no_run(tmp_path, config):
    directory = make_run(tmp_path)
    record = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**record, "config": config}))
    with pytest.raises(Damaged, match="of no run that can be named"):
        read_run(directory)


def test_every_record_of_the_study_is_of_its_directory():
    records = [path for path in (REPOSITORY / "docs").rglob("run.json") if path.parent.name != "schemas"]
    assert len(records) > 90
    for record in records:
        read_run(record.parent)
    runs = read_results([REPOSITORY / "docs" / "study"]).runs
    assert {run.values["status"] for run in runs} <= {"completed", "diverged", "pruned"}
