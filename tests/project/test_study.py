"""The studies in `docs/study/`: what is published is what its runs give, and it is made by one command."""

import csv
import importlib.util
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY
from made_runs import change_record, make_run, make_study

from benchmarks import power
from sweeper.aggregate.command import aggregate
from sweeper.aggregate.comparisons import compare
from sweeper.aggregate.tasks import group_tasks
from sweeper.choose.choice import choose
from sweeper.config.grid import compose_grid
from sweeper.runs.results import read_results
from sweeper.system.errors import BadInput

STUDIES = REPOSITORY / "docs" / "study"
CIFAR10 = STUDIES / "cifar10"


def load_publish():
    if str(STUDIES) not in sys.path:
        sys.path.insert(0, str(STUDIES))
    return load_module(STUDIES / "publish.py")


def load_module(file):
    """A program's module, which lies in no package."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # dataclasses look there for the types of their fields
    spec.loader.exec_module(module)
    return module


def marked(file):
    """What stands between a file's marks, by their name."""
    return dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", file.read_text(), re.DOTALL))


@pytest.mark.parametrize("study", [folder.parent for folder in STUDIES.glob("*/tuning")], ids=lambda study: study.name)
def test_the_published_tables_are_those_of_the_published_runs(tmp_path, study):
    """Every table is there and made of the runs, byte for byte. But the ends of intervals: the t quantile of SciPy 1.15
    has other last digits than that of 1.18."""
    parts = [part for part in (study, study / "tuning") if (part / "runs").is_dir()]
    assert parts
    for k, part in enumerate(parts):
        made = tmp_path / str(k)
        aggregate([str(part / "runs")], str(made), ["csv"])
        assert (part / "results.csv").read_bytes() == (made / "results.csv").read_bytes()
        tables = (list(csv.reader((folder / "summary.csv").read_text().splitlines())) for folder in (part, made))
        header, *rows = zip(*tables, strict=True)
        for row, now in rows:
            for name, cell, value in zip(header[0], row, now, strict=True):
                assert cell == value or ("ci95" in name and float(cell) == pytest.approx(float(value), rel=1e-9)), name
    choose([str(study / "tuning" / "runs")], str(tmp_path))
    for name in ("search.csv", "tuning.csv", "chosen.yaml"):
        assert (study / "tuning" / name).read_bytes() == (tmp_path / name).read_bytes()
    pages, page = marked(study / "README.md"), load_publish().blocks(study)
    assert pages["search"].strip() and pages["cost"].strip()
    assert {name: text.strip() for name, text in pages.items()} == {name: page.get(name, "").strip() for name in pages}
    assert not any(text for name, text in page.items() if name not in pages)
    for readme, headline in load_publish().headlines(study).items():
        assert marked(REPOSITORY / readme)[study.name].strip() == headline


def test_no_search_ends_on_an_edge_and_no_choice_is_worse_than_the_published_values():
    page = marked(CIFAR10 / "README.md")
    edges = re.findall(r"^\| (?:adam|adamw|lion|muon|sgd) \| .* \| (.+?) \|$", page["search"], re.MULTILINE)
    assert edges == ["–"] * 5
    assert "No chosen setting is worse than the published one by more than chance." in page["control"]
    assert page["control"].count("(n = 5)") == 5 and page["control"].count("(n = 3)") == 5


def test_with_adamws_published_values_it_would_be_separated_from_lion_and_nothing_else_would_change():
    chosen = min(group_tasks(read_results([CIFAR10 / "runs"]).runs), key=lambda task: task.config["epochs"])
    (published,) = group_tasks(read_results([CIFAR10 / "published" / "runs"]).runs)
    scores, others = ({one.optimizer: one.final() for one in task.compared} for task in (chosen, published))
    apart, then = (
        {frozenset((d.a, d.b)) for d in compare(given).differences if d.low > 0 or d.high < 0}
        for given in (scores, scores | {"adamw": others["adamw"]})
    )
    assert then - apart == {frozenset(("adamw", "lion"))} and apart <= then
    error = next(row for row in power.read() if row["scenario"] == "the study's scatters" and row["seeds"] == "5")
    assert f"{100 * (1 - float(error['error'])):.0f} % of studies, not 95" in " ".join(
        (CIFAR10 / "README.md").read_text().split()
    )


def test_the_averaging_time_is_that_of_decoupled_decay_and_of_momentums_larger_steps():
    load_publish()
    steps = load_module(STUDIES / "timescale.py").averaging_steps
    decay = {"lr": 0.01, "weight_decay": 0.005}
    assert steps({"name": "adamw", **decay}) == pytest.approx(20_000)
    assert steps({"name": "sgd", "momentum": 0.9, **decay}) == pytest.approx(2_000)
    assert steps({"name": "adam", **decay}) is None and steps({"name": "lion", "lr": 0.1, "weight_decay": 0.0}) is None


def test_an_optimizer_all_of_whose_runs_diverged_at_once_has_no_averaging_time(tmp_path):
    load_publish()
    change_record(make_run(tmp_path, "diverged", optimizer="sgd"), result__epochs_done=0, result__steps=0)
    make_run(tmp_path, optimizer="adamw")
    (task,) = group_tasks(read_results([tmp_path]).runs)
    told = load_module(STUDIES / "timescale.py").describe_timescales(task)
    assert re.search(r"\| sgd \| .* \| – \|", told) and re.search(r"\| adamw \| .* \| [\d.]+ \|", told)


def test_every_run_is_of_one_commit():
    records = [json.loads(path.read_text()) for path in CIFAR10.rglob("run.json")]
    assert len(records) > 170 and {record["environment"]["commit"] for record in records} == {"6ebf640"}


def test_the_preset_is_the_searchs_choice(tmp_path):
    """To the byte, but for where the trials are."""
    choose([str(CIFAR10 / "tuning" / "runs")], str(tmp_path / "into"), write=str(tmp_path), name="again")
    made = [*tmp_path.glob("experiment/*"), *tmp_path.glob("settings/*/*")]
    assert len(made) == 6
    for file in made:
        there, now = (
            re.sub("every trial: .*", "", path.read_text().replace("again/", "study_cifar10/"))
            for path in (REPOSITORY / "conf" / str(file.relative_to(tmp_path)).replace("again", "study_cifar10"), file)
        )
        assert there == now


@pytest.mark.parametrize("epochs", [100, 200])
def test_the_presets_runs_are_the_published_ones(epochs):
    cells = compose_grid(["-m", "experiment=study_cifar10", f"epochs={epochs}"]).cells
    assert len(cells) == 25
    assert {cell.directory.name for cell in cells} <= {path.parent.name for path in CIFAR10.glob("runs/*/*/run.json")}


def test_the_published_runs_are_records_and_curves_without_names_of_hosts():
    files = [path for path in STUDIES.rglob("*") if path.is_file() and {"runs", "again"} & {*path.parts}]
    assert {path.name for path in files} == {"run.json", "metrics.csv", "confirmations.json"}
    for file in files:
        if file.name == "run.json":
            assert '"host": null' in file.read_text()


def test_the_search_of_cifar10_is_its_protocols_and_of_one_commit():
    study = CIFAR10
    (command,) = re.findall(
        r"^    python -m sweeper\.train (.* experiment=tune .*)$", (study / "README.md").read_text(), re.M
    )
    cells = compose_grid(shlex.split(command)).cells
    assert len(cells) == 45
    records = {cell.directory.name: study / "tuning" / "runs" / cell.directory.parent.name for cell in cells}
    commits = {
        json.loads((at / name / "run.json").read_text())["environment"]["commit"] for name, at in records.items()
    }
    assert len(commits) == 1 and all(re.fullmatch("[0-9a-f]{7,}", commit) for commit in commits)


@pytest.fixture
def study(tmp_path):
    """An empty study and a README, as they are before the first runs."""
    (tmp_path / "study").mkdir()
    for name, places in (
        (
            "study/README.md",
            ("answer", "results", "wrong_labels", "equal", "search", "limits", "timescale", "cost", "again"),
        ),
        ("README.md", ("study",)),
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
    assert "| sgd | 0.3 | 90.00 | 3 | highest lr |" in page["search"]
    assert "| search | 3 | 9 | 0.3 |" in page["cost"]
    assert "| study | 12 | 48 | not recorded | Some CPU |" in page["cost"]
    summary = marked(tmp_path / "README.md")["study"]
    assert "**\n\n| optimizer | learning rate | weight decay | test accuracy |" in summary
    assert re.search(r"\| sgd \| 0\.001 \| 0\.0005 \| \d\d\.\d\d ± \d\.\d\d % \(n = 3\) \|", summary)
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
