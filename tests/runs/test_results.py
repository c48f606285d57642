"""Folders of runs: what is a run, which copy of it counts, and the table in memory."""

import io

import pandas
import pytest
from made_runs import VERSIONS, change_record, make_config, make_run

import sweeper
from sweeper.aggregate.frame import load_results, to_frame
from sweeper.aggregate.tables import to_csv
from sweeper.runs.identity import flat
from sweeper.runs.results import COLUMNS, read_results
from sweeper.runs.rows import FROM_CONFIG
from sweeper.system.errors import BadInput
from sweeper.system.lock import Lock


def csv_frame(results) -> pandas.DataFrame:
    return pandas.read_csv(io.BytesIO(to_csv(results.columns(), (run.values for run in results.runs))))


def cells(frame) -> list[list]:
    """Its values, whatever the columns' types; None where there is none, and 15 digits, which any reader gets right."""

    def plain(value):
        return None if pandas.isna(value) else float(f"{value:.15g}") if isinstance(value, float) else value

    return [[plain(value) for value in frame[name]] for name in frame]


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
        "empty": "there are no runs in this folder; sweeper.train makes them",
    }.items():
        with pytest.raises(BadInput) as error:
            read_results([tmp_path / "outputs", tmp_path / name])
        assert str(error.value) == f"{tmp_path / name}: {message}"


def test_load_results_takes_one_folder_or_several(tmp_path, monkeypatch):
    make_run(tmp_path / "outputs")
    make_run(tmp_path / "more", optimizer="lion")
    monkeypatch.chdir(tmp_path)
    assert sweeper.load_results().optimizer.tolist() == ["sgd"]
    assert sweeper.load_results(tmp_path / "more").optimizer.tolist() == ["lion"]
    both = sweeper.load_results(["outputs", tmp_path / "more"])
    assert both.optimizer.tolist() == ["lion", "sgd"]
    assert both["outputs"].tolist() == [str(tmp_path / "more"), "outputs"]  # where each stands
    assert both.attrs["merged"] == 0
    assert sweeper.load_results(["outputs", "outputs"]).equals(sweeper.load_results())


@pytest.fixture
def various(tmp_path):
    """A folder of runs of every kind of value and status."""
    outputs = tmp_path / "outputs"
    make_run(outputs, accuracy=1 / 3, tag="naïve, \"quoted\" 'x' 深層", optimizer__betas=[0.9, 0.99])
    change_record(make_run(outputs, seed=2, target_accuracy=0.99), result__steps_to_target="inf")
    make_run(outputs, "diverged", optimizer="lion", error="epoch 2, step 31: loss nan")
    make_run(outputs, "failed", optimizer="adam", error="RuntimeError: out\nof, memory", optimizer__amsgrad=True)
    make_run(outputs, "running", optimizer="muon", optimizer__momentum=1)
    make_run(outputs, optimizer="nadam", optimizer__momentum=0.5, environment={"device": None})
    (make_run(outputs, optimizer="radam") / "run.json").write_text("")
    return outputs


def test_load_results_has_the_values_of_results_csv(various):
    results = read_results([various])
    loaded = to_frame(results)
    written = csv_frame(results)
    assert loaded.columns.tolist() == written.columns.tolist()
    assert cells(loaded) == cells(written)
    assert loaded.equals(load_results(various))


def test_columns_have_a_kind_of_their_own(various):
    kinds = load_results(various).dtypes.astype(str)
    for name in ("noise_rate", "lr", "final_test_accuracy", "steps_to_target", "train_seconds", "optimizer.momentum"):
        assert kinds[name] == "float64"
    for name in ("seed", "epochs", "batch_size", "best_epoch", "peak_memory_bytes", "model.width"):
        assert kinds[name] == "Int64"
    for name in ("shared_device", "versions_differ", "optimizer.amsgrad", "rerun"):
        assert kinds[name] == "boolean"


def test_a_target_not_reached_is_infinite(various):
    targets = load_results(various).query("optimizer == 'sgd'").set_index("seed").steps_to_target
    assert targets[2] == float("inf") and pandas.isna(targets[1])


def test_a_column_of_mixed_kinds_is_one_of_texts(tmp_path):
    make_run(tmp_path, schedule__option=1)
    make_run(tmp_path, seed=2, schedule__option="auto")
    assert set(load_results(tmp_path)["schedule.option"]) == {"1", "auto"}


def test_a_long_list_is_cut_and_damages_nothing(tmp_path):
    make_run(tmp_path, model__widths=list(range(1000)))
    cell = load_results(tmp_path)["model.widths"][0]
    assert cell.startswith("[0, 1, 2, ") and cell.endswith("…")


def test_a_run_that_has_just_begun_is_a_row_without_values(tmp_path):
    directory = make_run(tmp_path)
    (directory / "run.json").unlink()
    with Lock(directory / "run.lock"):
        frame = load_results(tmp_path)
    assert frame.status.tolist() == ["running"]
    assert frame.columns.tolist() == list(COLUMNS)
    assert frame.dataset.isna().all()


def test_parquet_gives_back_the_same_table(various, tmp_path):
    loaded = load_results(various)
    loaded.to_parquet(tmp_path / "results.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "results.parquet"), loaded)
