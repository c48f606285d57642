"""`docs/study/publish.py`: one command makes a study's tables, page and figures of its runs."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import REPOSITORY
from made_runs import change_record, make_run, make_study

from sweeper.system.errors import BadInput
from tests.project.test_study import load_publish, marked


@pytest.fixture
def study(tmp_path):
    """An empty study and a README, as they are before the first runs."""
    (tmp_path / "study").mkdir()
    for name, places in (
        (
            "study/README.md",
            ("answer", "results", "wrong_labels", "equal", "search", "limits", "timescale", "cost", "again"),
        ),
        ("README.md", ("studies",)),
    ):
        text = "\n".join(f"<!-- {place} -->\n<!-- /{place} -->" for place in places)
        (tmp_path / name).write_text(f"Before.\n{text}\nAfter.\n")
    return tmp_path / "study"


def make_search(outputs):
    for k, lr in enumerate((0.03, 0.1, 0.3)):
        dataset = {"name": "digits", "loader": "sweeper.datasets.digits", "validation_fraction": 0.1}
        run = make_run(outputs, dataset=dataset, optimizer__lr=lr, environment={"device_seconds": 6.0})
        change_record(run, result__final_val_accuracy=0.7 + 0.1 * k)


@pytest.mark.slow
def test_one_command_publishes_runs_and_again_to_the_same_bytes(tmp_path, study, capsys, monkeypatch):
    make_study(tmp_path / "outputs", optimizers=("lion", "sgd"), epochs=4)
    make_run(tmp_path / "outputs", "interrupted", seed=9)
    make_search(tmp_path / "tuning")
    (tmp_path / "outputs" / "digits-cnn" / "notes.txt").write_text("mine")
    publish = load_publish().publish
    outputs = [str(tmp_path / "outputs"), str(tmp_path / "tuning")]
    publish(outputs, study, tmp_path)
    assert "left out:" in capsys.readouterr().err
    assert len(list(study.glob("runs/digits-cnn/*/run.json"))) == 12
    assert {path.name for path in study.glob("runs/*/*/*")} == {"run.json", "metrics.csv"}
    for name in ("results.csv", "summary.csv", "report.html", "tuning/search.csv", "figures/noise.svg"):
        assert (study / name).is_file(), name
    page = marked(study / "README.md")
    assert "### digits, cnn, no label noise, 4 epochs" in page["results"]
    assert "(figures/noise.png)" in page["results"] and "3 seeds" in page["results"]
    assert re.findall(
        r"^\| (20 %|0 %) \| (\w+) \| \d+\.\d ± \d+\.\d \(n = 3\) \| \d", page["wrong_labels"], re.MULTILINE
    ) == [
        ("20 %", "sgd"),
        ("20 %", "lion"),
    ]
    assert "| sgd | 0.3 | 90.00 | 3 | 1 | highest lr |" in page["search"]
    assert "| search | 3 | 9 | 0.3 |" in page["cost"]
    assert "| study | 12 | 48 | not recorded | Some CPU |" in page["cost"]
    summary = marked(tmp_path / "README.md")["studies"]
    assert "**\n\n| optimizer | digits: test accuracy | lr, weight decay |" in summary
    assert re.search(r"\| sgd \| \d\d\.\d\d ± \d\.\d\d % \(n = 3\) \| 0\.001, 0\.0005 \|", summary)
    files = [*filter(Path.is_file, study.rglob("*")), tmp_path / "README.md"]
    before = {path: path.read_bytes() for path in files}
    monkeypatch.setattr("time.gmtime", lambda seconds=None: (2030, 1, 1, 0, 0, 0, 1, 1, 0))
    publish([], study, tmp_path)
    assert len(before) > 40 and [path for path in before if path.read_bytes() != before[path]] == []


@pytest.mark.slow
def test_a_repeat_replaces_nothing_and_is_held_against_the_scatter_of_the_seeds(tmp_path, study):
    for optimizer, seed, accuracy in (("sgd", 1, 0.80), ("sgd", 2, 0.82), ("lion", 1, 0.70), ("lion", 2, 0.74)):
        make_run(tmp_path / "outputs", optimizer=optimizer, seed=seed, accuracy=accuracy, environment=at("09:00"))
    make_run(tmp_path / "again", optimizer="sgd", seed=2, accuracy=0.79, environment=at("10:00"))
    make_run(tmp_path / "more", optimizer="sgd", seed=2, accuracy=0.97, environment=at("11:00"))
    publish = load_publish().publish
    for _ in range(2):
        publish([str(tmp_path / name) for name in ("outputs", "again", "more")], study, tmp_path)
    (name,) = (path.name for path in study.glob("runs/*/sgd-seed2-*"))
    assert {path.parent.parent.name for path in study.glob(f"again/*/*/{name}")} == {
        "20261125T1000Z",
        "20261125T1100Z",
    }
    again = marked(study / "README.md")["again"]
    # Pooled: √((0.01² + 0.01² + 0.02² + 0.02²) ÷ 2) = 2.236 points; t(2; 0.975) = 4.3027; times √2: 13.61 points.
    assert "| sgd | 0.0 | 3 | 2 | 82.00 | 79.00 | -3.00 | 13.61 |" in again
    assert "| sgd | 0.0 | 3 | 2 | 82.00 | 97.00 | +15.00 | 13.61 |" in again
    assert "| 0123456 | 0123456-dirty |" in again
    assert "1 of 2 repeats" in again


def test_a_repeat_that_can_not_be_judged_is_shown_all_the_same(tmp_path, study):
    """One seed tells no scatter, a diverged run has no accuracy, and an optimizer whose seeds all diverged counts for
    nothing. A repeat of no published run is said."""
    make_run(tmp_path / "outputs", optimizer="sgd", accuracy=0.80, environment=at("09:00"))
    make_run(tmp_path / "again", optimizer="sgd", accuracy=0.80, environment=at("10:00"))
    make_run(tmp_path / "outputs", "diverged", optimizer="lion", environment=at("09:00"))
    make_run(tmp_path / "again", optimizer="lion", accuracy=0.7, environment=at("10:00"))
    publish = load_publish().publish
    publish([str(tmp_path / name) for name in ("outputs", "again")], study, tmp_path)
    again = marked(study / "README.md")["again"]
    assert "| sgd | 0.0 | 3 | 1 | 80.00 | 80.00 | +0.00 | – |" in again
    assert "| lion | 0.0 | 3 | 1 | diverged | 70.00 | – | – |" in again
    assert "0 of 0 repeats" in again
    make_run(tmp_path / "outputs", optimizer="sgd", seed=2, accuracy=0.80, environment=at("09:00"))
    publish([str(tmp_path / "outputs")], study, tmp_path)
    again = marked(study / "README.md")["again"]
    assert "| sgd | 0.0 | 3 | 1 | 80.00 | 80.00 | +0.00 | 0.00 |" in again and "1 of 1 repeat." in again
    (lost,) = study.glob("runs/*/lion-*")
    shutil.rmtree(lost)
    with pytest.raises(BadInput, match="it repeats no run of "):
        publish([], study, tmp_path)


def at(time):
    return {"started": f"2026-11-25T{time}Z", "commit": "0123456789ab" + "-dirty" * (time == "11:00")}


def test_a_run_that_tells_its_host_is_not_published(tmp_path, study):
    make_run(tmp_path / "outputs", environment={"host": "somebodys-laptop"})
    with pytest.raises(BadInput, match="tells the host's name; train with record_host=false"):
        load_publish().publish([str(tmp_path / "outputs")], study, tmp_path)
    assert not (study / "runs").exists()


def test_a_heading_tells_the_length_of_training_once(tmp_path, study):
    for epochs in (1, 3):
        make_run(tmp_path / "outputs", epochs=epochs)
    load_publish().publish([str(tmp_path / "outputs")], study, tmp_path)
    headings = re.findall("^### (.*)$", marked(study / "README.md")["results"], re.MULTILINE)
    assert headings == [f"digits, cnn, no label noise, {length}" for length in ("1 epoch", "3 epochs")]


def test_a_page_without_places_is_refused(tmp_path, study):
    make_run(tmp_path / "outputs")
    shutil.copy(REPOSITORY / "LICENSE", study / "README.md")
    with pytest.raises(BadInput, match="has no lines '<!-- answer -->'"):
        load_publish().publish([str(tmp_path / "outputs")], study, tmp_path)
