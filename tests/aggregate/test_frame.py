"""The pandas table has the rows of results.csv, each column of one kind."""

import io
import json
import types
from pathlib import Path

import pandas
import pytest
from conftest import REPOSITORY
from made_runs import change_record, make_run

import sweeper
from sweeper.aggregate.frame import load_results, to_frame
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.tables import to_csv
from sweeper.runs.results import read_results
from sweeper.system.errors import BadInput

AS_DOCUMENTED = {
    "dtype": dict.fromkeys(["dataset", "model", "optimizer", "noise", "tag"], "string"),
    "keep_default_na": False,
    "na_values": [""],
}


def csv_frame(results) -> pandas.DataFrame:
    return pandas.read_csv(io.BytesIO(to_csv(results.columns(), (run.values for run in results.runs))))


def cells(frame) -> list[list]:
    """Its values, whatever the columns' types; None where there is none, and 15 digits, which any reader gets right."""

    def plain(value):
        return None if pandas.isna(value) else float(f"{value:.15g}") if isinstance(value, float) else value

    return [[plain(value) for value in frame[name]] for name in frame]


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
    whole = to_frame(results)
    written = csv_frame(results)
    assert whole.columns.tolist() == written.columns.tolist()
    assert cells(whole) == cells(written)
    loaded = load_results(various)
    lists = ["optimizer.betas"]
    assert loaded.drop(columns=["path", *lists]).equals(
        whole[written.columns[written.notna().any()]].drop(columns=lists)
    )
    assert {"target_accuracy", "steps_to_target"} <= {*loaded} and not {"dataset.root", "best_val_accuracy"} & {*loaded}


def test_each_row_has_its_directory_and_lists_are_lists(various):
    loaded = load_results(various)
    assert sorted(loaded.path) == sorted(str(path.parent) for path in various.glob("*/*/run.json"))
    betas = loaded.set_index("path")["optimizer.betas"].dropna()
    (path,) = betas.index
    assert (
        betas[path] == [0.9, 0.99] == json.loads((Path(path) / "run.json").read_text())["config"]["optimizer"]["betas"]
    )


def test_a_text_stays_what_it_is(tmp_path):
    """Also in a column of texts that all look like numbers, read as the documentation says."""
    typed = ["007", "1e5", "1_000", "0x10", "1:30", "2024-01-01"]
    for tags in (typed, [*typed, "NA", "none", "null", "nan", "true", "", None]):
        for seed, tag in enumerate(tags):
            make_run(tmp_path / str(len(tags)), seed=seed, tag=tag, model__name="1e5")
        results = read_results([tmp_path / str(len(tags))])
        loaded = to_frame(results).set_index("seed").tag
        assert [None if pandas.isna(tag) else tag for tag in loaded[range(len(tags))]] == tags
        content = to_csv(results.columns(), (run.values for run in results.runs))
        read = pandas.read_csv(io.BytesIO(content), **AS_DOCUMENTED)
        found = read.set_index("seed").tag[range(len(tags))]
        assert [None if pandas.isna(tag) else tag for tag in found] == [tag or None for tag in tags]
        assert read.model.tolist() == ["1e5"] * len(tags) and read.lr.tolist() == [0.1] * len(tags)


def test_the_documentation_says_how_to_read_them():
    page = (REPOSITORY / "docs" / "how-to" / "tables.md").read_text()
    (line,) = (line for line in page.splitlines() if line.startswith("runs = pandas.read_csv("))
    (texts,) = (line for line in page.splitlines() if line.startswith("texts = "))
    names = {"pandas": types.SimpleNamespace(read_csv=lambda file, **options: options), "texts": eval(texts[8:])}
    assert eval(line.partition(" = ")[2], names) == AS_DOCUMENTED


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


def test_a_long_list_is_whole_in_python_and_cut_in_csv(tmp_path):
    make_run(tmp_path, model__widths=list(range(1000)))
    cell = csv_frame(read_results([tmp_path]))["model.widths"][0]
    assert cell.startswith("[0, 1, 2, ") and cell.endswith("…")
    assert load_results(tmp_path)["model.widths"][0] == list(range(1000))


def test_curves_of_a_run_are_those_of_its_file(tmp_path):
    run = make_run(tmp_path, accuracy=0.9)
    curves = sweeper.load_metrics(load_results(tmp_path).path[0])
    assert curves.epoch.tolist() == [1, 2, 3] and curves.step.dtype == "Int64" and curves.attrs["damage"] is None
    assert curves.test_accuracy.tolist() == pandas.read_csv(run / "metrics.csv").test_accuracy.tolist()
    with (run / "metrics.csv").open("a") as file:
        file.write("4,80,")
    assert len(sweeper.load_metrics(run)) == 3
    assert sweeper.load_metrics(run).attrs["damage"] == "metrics.csv: cut off after 3 whole rows"
    (run / "metrics.csv").write_text("something else")
    with pytest.raises(BadInput, match="its first line is not the names of the metrics"):
        sweeper.load_metrics(run)
    with pytest.raises(BadInput, match=r"there is no metrics\.csv; name the directory of a run"):
        sweeper.load_metrics(tmp_path)


def test_the_summary_is_that_of_summary_csv_with_the_task(various):
    make_run(various, epochs=9)
    loaded = sweeper.load_summary(various)
    summary = summarize(read_results([various]).runs)
    written = pandas.read_csv(io.BytesIO(to_csv(summary.columns(), summary.rows)))
    lists = ["optimizer.betas"]
    assert loaded.columns[1:].tolist() == written.columns.tolist()
    assert cells(loaded.drop(columns=["task", *lists])) == cells(written.drop(columns=lists))
    assert set(loaded.task[loaded.epochs == 9]) == {
        block.label for block in summary.blocks if "9 epochs" in block.label
    }


def test_lists_are_lists_in_the_summary_too(tmp_path):
    long = [*range(1000)]
    for seed in (1, 2):
        make_run(tmp_path, seed=seed, optimizer="adam", optimizer__betas=[0.9, 0.99])
        make_run(tmp_path, seed=seed, optimizer="adam", optimizer__betas=long)
        make_run(tmp_path, seed=seed, optimizer="sgd")
    for loaded in (sweeper.load_summary(tmp_path), sweeper.compare(tmp_path).summary):
        assert sorted(loaded["optimizer.betas"].dropna()) == [long, [0.9, 0.99]]
        assert loaded.set_index("optimizer")["optimizer.betas"].isna()["sgd"] and len(loaded) == 3


def test_parquet_gives_back_the_same_table(various, tmp_path):
    loaded = to_frame(read_results([various]))
    loaded.to_parquet(tmp_path / "results.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "results.parquet"), loaded)
