"""Which folders are runs, which of several copies counts, in which order they stand, and their columns."""

import contextlib
import os
import random
import shutil

import pandas
import pytest
from made_runs import VERSIONS, change_record, make_config, make_run

from sweeper.aggregate.frame import load_results
from sweeper.runs.identity import flat
from sweeper.runs.metrics import METRICS
from sweeper.runs.results import COLUMNS, read_results
from sweeper.runs.rows import FROM_CONFIG
from sweeper.system.errors import BadInput
from sweeper.system.lock import Lock


def test_the_table_begins_with_the_promised_columns():
    assert ",".join(COLUMNS) == (
        "run,status,dataset,model,optimizer,noise,noise_rate,seed,lr,weight_decay,epochs,batch_size,device,precision,"
        "final_test_accuracy,best_test_accuracy,best_epoch,final_val_accuracy,best_val_accuracy,final_train_loss,"
        "steps_to_target,train_seconds,images_per_second,peak_memory_bytes,shared_device,versions_differ,error"
    )


def test_then_comes_every_other_config_value_under_its_dotted_name(tmp_path):
    make_run(tmp_path, optimizer__betas=[0.9, 0.99])
    make_run(tmp_path, optimizer="lion", optimizer__nested={"deep": {"er": 7}})
    columns = read_results([tmp_path]).columns()
    assert columns[: len(COLUMNS)] == list(COLUMNS)
    others = {name for name, _ in flat(make_config())} - {source for source, _ in FROM_CONFIG.values()}
    assert columns[len(COLUMNS) :] == sorted({*others, "optimizer.betas", "optimizer.nested.deep.er"})


def test_a_cell_is_empty_where_the_value_is_unknown_and_0_where_there_is_no_noise(tmp_path):
    make_run(tmp_path, environment={"device": None, "precision": None}, noise__rate=None)
    make_run(tmp_path, environment={"device": "mps"}, noise__name="symmetric", noise__rate=0.2)
    make_run(tmp_path, environment={"device": "cuda"}, noise__name="human", noise__kind="human")
    frame = load_results(tmp_path).set_index("noise")
    assert frame.noise_rate["none"] == 0 and frame.noise_rate["symmetric"] == 0.2
    assert pandas.isna(frame.noise_rate["human"])  # its file's, which isn't in the record
    assert frame.device.fillna("?").to_dict() == {"none": "?", "symmetric": "mps", "human": "cuda"}


def test_versions_differ_where_they_are_not_the_usual_ones(tmp_path):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed, environment={"versions": VERSIONS | {"torch": "2.9.0"}} if seed == 2 else None)
    make_run(tmp_path, seed=4, environment={"versions": None})
    assert load_results(tmp_path).versions_differ.tolist() == [False, True, False, pandas.NA]


def test_a_folder_without_runs_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    make_run(tmp_path / "outputs")
    for name, message in {
        "gone": "there is no such folder; name one that sweeper.train has written runs into",
        "file": "this is no folder; name one that sweeper.train has written runs into",
        "outptus": f"there is no such folder; did you mean {tmp_path / 'outputs'}?",
        "empty": "there are no runs in this folder; sweeper.train makes them",
    }.items():
        with pytest.raises(BadInput) as error:
            read_results([tmp_path / "outputs", tmp_path / name])
        assert str(error.value) == f"{tmp_path / name}: {message}"


def test_a_run_that_has_just_begun_is_a_row_without_values(tmp_path):
    directory = make_run(tmp_path)
    (directory / "run.json").unlink()
    with Lock(directory / "run.lock"):
        results = read_results([tmp_path])
        frame = load_results(tmp_path)
    assert results.columns() == list(COLUMNS)
    (run,) = results.runs
    assert {name for name, value in run.values.items() if value is not None} == {"run", "status"}
    assert frame.to_dict("list") == {"run": [run.values["run"]], "path": [str(directory)], "status": ["running"]}


def statuses(*folders) -> list[str]:
    return [run.values["status"] for run in read_results(folders).runs]


def test_a_run_is_named_by_its_way_from_the_folder(tmp_path):
    directory = make_run(tmp_path / "a" / "outputs")
    assert [run.values["run"] for run in read_results([tmp_path]).runs] == [str(directory.relative_to(tmp_path))]
    assert [run.values["run"] for run in read_results([directory]).runs] == ["."]


def test_what_is_no_run_is_passed_over(tmp_path):
    directory = make_run(tmp_path)
    begun_never = directory.with_name("sgd-seed2-0123abcd")
    (begun_never / ".hydra").mkdir(parents=True)
    (begun_never / ".hydra" / "config.yaml").write_text("seed: 2\n")
    for seed, folder in ((5, tmp_path / ".trash"), (6, directory / "previous" / "1")):
        shutil.copytree(directory, folder)
        change_record(folder, config__seed=seed)
    others = tmp_path / "lightning"
    others.mkdir()
    (others / "metrics.csv").write_text("step,loss\n1,2\n")
    (others / "checkpoint.pt").write_bytes(b"x")
    (tmp_path / "odd").mkdir()
    os.mkfifo(tmp_path / "odd" / "metrics.csv")
    (tmp_path / "results.csv").write_text("run\n")
    assert statuses(tmp_path) == ["completed"]


@pytest.mark.parametrize("name", ["sgd-seed2-0123abcd", "renamed"])
def test_a_run_that_lost_its_record_is_a_row_of_its_own(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "metrics.csv").write_text(",".join(METRICS) + "\n")
    (run,) = read_results([tmp_path]).runs
    assert (run.values["status"], run.values["error"]) == ("damaged", "there is no run.json")


def test_a_renamed_run_is_the_run_that_it_was(tmp_path):
    make_run(tmp_path).rename(tmp_path / "my best")
    assert statuses(tmp_path) == ["completed"]


def test_a_folder_that_vanishes_while_one_looks_is_no_error(tmp_path, monkeypatch):
    make_run(tmp_path)
    gone = make_run(tmp_path, optimizer="lion")
    real = os.scandir

    def scandir(path):
        if str(path) == str(gone):
            shutil.rmtree(gone)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert statuses(tmp_path) == ["completed"]


def test_a_folder_that_can_not_be_read_is_a_row_that_says_so(tmp_path, monkeypatch):
    make_run(tmp_path)
    closed = tmp_path / "closed"
    closed.mkdir()
    real = os.scandir

    def scandir(path):
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    run = read_results([tmp_path]).runs[-1]
    assert run.values == {
        "run": "closed",
        "status": "damaged",
        "error": "the folder can't be read: Permission denied",
        "versions_differ": None,
    }


def test_others_metrics_that_can_not_be_read_stop_nothing(tmp_path, monkeypatch):
    make_run(tmp_path)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "metrics.csv").write_text(",".join(METRICS))

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied", *arguments[:1])

    monkeypatch.setattr("sweeper.runs.results.open", refuse, raising=False)
    assert statuses(tmp_path) == ["completed"]


def test_a_copy_under_another_name_is_the_same_run(tmp_path):
    shutil.copytree(make_run(tmp_path), tmp_path / "backup")
    results = read_results([tmp_path])
    assert (len(results.runs), len(results.left_out)) == (1, 1)


def test_two_damaged_runs_are_two_rows(tmp_path):
    for seed in (1, 2):
        (make_run(tmp_path, seed=seed) / "run.json").write_text("")
    results = read_results([tmp_path])
    assert ([run.values["status"] for run in results.runs], len(results.left_out)) == (["damaged", "damaged"], 0)


def test_one_configuration_on_other_images_is_another_result(tmp_path):
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", environment={"data_digest": "e" * 64})
    results = read_results([tmp_path / "a", tmp_path / "b"])
    assert (len(results.runs), len(results.left_out)) == (2, 0)


def test_a_folder_given_twice_counts_once(tmp_path, monkeypatch):
    make_run(tmp_path / "outputs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("outputs")
    for folders in (["outputs", "outputs/"], ["outputs", "link"], [".", "outputs"], ["outputs", "."]):
        results = read_results(folders)
        assert (len(results.runs), len(results.left_out)) == (1, 0), folders


def test_links_are_followed_once_and_never_in_a_circle(tmp_path):
    elsewhere = make_run(tmp_path / "elsewhere", optimizer="lion")
    outputs = tmp_path / "outputs"
    directory = make_run(outputs)
    (outputs / "again").symlink_to(directory)
    (outputs / "others").symlink_to(elsewhere.parent)
    (outputs / "loop").symlink_to(outputs)
    (outputs / "up").symlink_to(tmp_path)
    (outputs / "self").symlink_to("self")
    (outputs / "nowhere").symlink_to("gone")
    results = read_results([outputs])
    assert sorted(run.values["optimizer"] for run in results.runs) == ["lion", "sgd"]
    assert len(results.left_out) == 0
    assert str(directory.relative_to(outputs)) in {run.values["run"] for run in results.runs}


def test_the_order_is_not_the_file_systems(tmp_path, monkeypatch):
    """Nor is the choice between copies that are equally far."""
    for optimizer in ("sgd", "lion"):
        for seed in (1, 2):
            directory = make_run(tmp_path, optimizer=optimizer, seed=seed)
            for place in ("x", "y", "z"):
                shutil.copytree(directory, tmp_path / place / directory.name)
    for name in ("q", "r", "s"):
        (tmp_path / name).symlink_to(tmp_path / "x")
    (make_run(tmp_path, seed=3) / "run.json").unlink()
    real = os.scandir

    def table(seed: int) -> list:
        shuffle = random.Random(seed).shuffle

        @contextlib.contextmanager
        def scandir(path):
            with real(path) as scan:
                entries = list(scan)
            shuffle(entries)
            yield iter(entries)

        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", scandir)
            return [run.values for run in read_results([tmp_path]).runs]

    assert len(table(0)) == 5
    assert all(table(seed) == table(0) for seed in range(1, 8))


def test_rows_stand_by_data_set_model_noise_optimizer_rate_and_seed_with_damaged_ones_last(tmp_path):
    (make_run(tmp_path, optimizer="adam", seed=9) / "run.json").write_text("")
    asked = [("lion", 1e-4, 1), ("sgd", 0.1, 2), ("sgd", 0.1, 10), ("sgd", 0.3, 1)]
    for optimizer, lr, seed in reversed(asked):
        make_run(tmp_path, optimizer=optimizer, seed=seed, optimizer__lr=lr)
    rows = [run.values for run in read_results([tmp_path]).runs]
    assert [(row["optimizer"], row["lr"], row["seed"]) for row in rows[:-1]] == asked
    assert rows[-1]["status"] == "damaged"
