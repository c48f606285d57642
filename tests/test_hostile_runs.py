"""Among hostile and broken runs all commands show the whole ones, and say in a line what is wrong with the others."""

import csv
import json
import unicodedata
from pathlib import Path

import pytest
from hostile_runs import DAMAGED, HOSTILE, TOLD
from made_runs import make_rows, write_finished_run

import sweeper
from sweeper.aggregate import command as aggregate
from sweeper.choose import command as choose
from sweeper.config.grid import compose_grid
from sweeper.config.resolved import Cell
from sweeper.doctor import command as doctor
from sweeper.plan import command as plan
from sweeper.plan import forecast
from sweeper.report import command as report
from sweeper.runs.checks import Damaged
from sweeper.runs.record import find_finished, read_run
from sweeper.train import sweep
from sweeper.train.search import carry_out
from sweeper.verify import command as verify
from sweeper.verify.folder import read_folder
from sweeper.verify.sample import CantRepeat, compose_again
from sweeper.watch import command as watch
from sweeper.watch import load

WORDS = ["-m", "dataset=digits", "model=mlp", "optimizer=sgd", "epochs=3", "dataset.validation_fraction=0.1"]
GOOD = 2


def make_runs(outputs: Path) -> list[tuple[str, Cell, Path]]:
    """A search's finished runs, all but the first two made hostile. Returns each one's name, cell and directory.

    One whose record is of another configuration now is in a directory that isn't named after a run.
    """
    names = [f"good {k}" for k in range(GOOD)] + list(HOSTILE)
    rates = ",".join(str(round(0.001 * k, 3)) for k in range(1, len(names) + 1))
    grid = compose_grid([*WORDS, f"optimizer.lr={rates}", f"outputs={outputs}"])
    made = []
    for k, (name, cell) in enumerate(zip(names, grid.cells, strict=True)):
        rows = [row | {"val_accuracy": row["test_accuracy"]} for row in make_rows([0.5, 0.6, 0.6 + k / 100])]
        directory = write_finished_run(outputs, cell.config, rows, {})
        record = json.loads((directory / "run.json").read_text())
        record["result"]["final_val_accuracy"] = rows[-1]["val_accuracy"]
        (directory / "run.json").write_text(json.dumps(record))
        if name in HOSTILE:
            HOSTILE[name](directory)
            if is_of_another_run(directory):
                directory = directory.rename(directory.with_name(f"copied {k}"))
        made.append((name, cell, directory))
    return made


def is_of_another_run(directory: Path) -> bool:
    try:
        read_run(directory)
    except Damaged as damage:
        return "run.json: of " in str(damage)
    return False


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("hostile") / "outputs")


@pytest.fixture
def call(runs, capsys):
    """`call(main, *options)`: what a command prints of the folder; it must end well."""
    outputs = runs[0][2].parents[1]

    def call_main(main, *options: str) -> str:
        assert main([str(outputs), *options]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return call_main


def check_text(text: str) -> None:
    """Whatever stands in a record, what is shown has no escape sequence, no broken or invisible character."""
    found = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert found <= {"\n"}


def check_rows(rows: dict[str, dict[str, str]], runs) -> None:
    """The whole runs have no error; the others say what is wrong with them."""
    for name, _, directory in runs:
        row = rows[f"{directory.parent.name}/{directory.name}"]
        if name.startswith("good"):
            assert (row["status"], row["error"] or None) == ("completed", None)
        elif name in DAMAGED:
            assert row["status"] == "damaged" and row["error"], name
        else:
            assert row["status"] in ("completed", "running", "interrupted", "failed"), (name, row["error"])
            assert bool(row["error"]) == (name in TOLD or name == "escapes in an error"), name


def test_aggregate_shows_the_others(runs, call):
    said = call(aggregate.main, "--format", "markdown,latex")
    outputs = runs[0][2].parents[1]
    with (outputs / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    check_rows(rows, runs)
    assert f"{len(DAMAGED)} damaged" in said
    for name in ("results.csv", "summary.csv", "summary.md", "summary.tex"):
        check_text((outputs / name).read_text(encoding="utf-8"))
    check_text(said)
    frame = sweeper.load_results(outputs).set_index("run")
    assert frame.loc[f"digits-mlp/{runs[1][2].name}", "final_test_accuracy"] == pytest.approx(0.61)


def test_the_page_shows_the_others(runs, call):
    call(report.main)
    page = (runs[0][2].parents[1] / "report.html").read_text(encoding="utf-8")
    check_text(page)
    for name, _, directory in runs:
        assert directory.name in page, name
    assert "metrics.csv isn't" in page or "metrics.csv has a last row" in page


def test_watch_shows_the_others(runs, call, monkeypatch):
    monkeypatch.setattr(load, "SETTLE", 0)
    document = json.loads(call(watch.main, "--json"))
    check_rows({run["run"]: run for run in document["runs"]}, runs)
    said = call(watch.main, "--once")
    check_text(said)
    assert f"{len(DAMAGED)} damaged" in said


def test_a_search_chooses_among_the_others(runs, call):
    said = call(choose.main)
    outputs = runs[0][2].parents[1]
    check_text(said + (outputs / "search.csv").read_text(encoding="utf-8"))
    with (outputs / "search.csv").open(newline="", encoding="utf-8") as file:
        rates = {float(row["lr"]) for row in csv.DictReader(file)}
    assert {0.001, 0.002} <= rates
    assert said.startswith("# ") and "\nsgd:" in said


def test_the_doctor_looks_at_the_folder(call, monkeypatch):
    monkeypatch.setattr(doctor, "examine_devices", lambda memory_bytes: [])
    assert json.loads(call(doctor.main, "--json"))["works"]


def test_plan_counts_the_others_as_done(runs, monkeypatch, capsys):
    monkeypatch.setattr(forecast, "forecast", lambda *given: ({"disk": {"enough": True}}, None))
    rates = ",".join(str(cell.config["optimizer"]["lr"]) for _, cell, _ in runs)
    outputs = runs[0][2].parents[1]
    assert plan.main([*WORDS, f"optimizer.lr={rates}", f"outputs={outputs}", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    done = [name for name, cell, _ in runs if find_finished(cell.directory) is not None]
    assert document["done"] == len(done) and {"good 0", "good 1"} <= set(done)
    assert not set(done) & {name for name in DAMAGED if "accuracy" in name or "result" in name or "nested" in name}


def test_train_answers_the_others(runs, capsys):
    for name, cell, _ in runs:
        if (record := find_finished(cell.directory)) is not None:
            sweep._answer(cell, record)
            said = capsys.readouterr().out
            check_text(said)
            assert "completed already, validation " in said
            assert ("metrics.csv" in said) == (name in TOLD), name
            assert ("tables call it damaged: run.json: " in said) == (name in DAMAGED), name


def test_a_search_tells_its_storage_plain_numbers(runs):
    """What a hostile record gives is no value of a trial."""
    told = []

    class Trials:
        def tell(self, optimizer, number, status, curve, epochs, value):
            told.append(number)
            assert value is None or 0 <= value <= 1
            assert all(0 <= accuracy <= 1 for accuracy in curve.values()) and 0 <= epochs <= 3

    work = carry_out._AtWork(None, Trials(), None, 1, {}, None)
    for k, (_, cell, _) in enumerate(runs):
        carry_out._told(work, carry_out._Asked("sgd", k, cell, [], None))
    assert {0, 1} <= set(told)


def test_verify_reports_each_damaged_run_in_a_line_and_composes_none_that_names_code(runs, capsys, tmp_path):
    outputs = runs[0][2].parents[1]
    assert verify.main([str(outputs), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    reported = {one["where"] for one in document["findings"] if one["problem"]}
    assert {str(directory) for name, _, directory in runs if name in DAMAGED} <= reported
    assert verify.main([str(outputs)]) == 1
    assert all(unicodedata.category(c) not in ("Cc", "Cf") for c in capsys.readouterr().out.replace("\n", ""))
    for one in read_folder([str(outputs)])[0]:
        if one.record and one.run.status.finished:
            try:
                cell, _ = compose_again(one, tmp_path / "again", [])
            except CantRepeat as reason:
                assert "\n" not in str(reason)
            else:
                assert cell.config["optimizer"]["_target_"] == "torch.optim.SGD"
