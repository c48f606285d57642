"""The studies in `docs/study/`: what is published is what its runs give, and it is made by one command."""

import csv
import importlib.util
import json
import re
import shlex
import sys

import pytest
from conftest import REPOSITORY
from made_runs import change_record, make_run

from benchmarks import power
from benchmarks.figures import read_csv
from sweeper.aggregate.command import aggregate
from sweeper.aggregate.comparisons import compare
from sweeper.aggregate.tasks import group_tasks
from sweeper.choose.choice import choose
from sweeper.config.grid import compose_grid
from sweeper.runs.results import read_results

STUDIES = REPOSITORY / "docs" / "study"
CIFAR10 = STUDIES / "cifar10"
EPOCHS = {"cifar10": (100, 200), "cifar100": (100,), "cifar10_noise": (100,)}  # as each protocol says


def of_each(part):
    """A test's cases: the studies in which this part has runs."""
    studies = sorted(folder.parent for folder in STUDIES.glob(f"*/{part}") if (folder.parent / "README.md").is_file())
    return pytest.mark.parametrize("study", studies, ids=lambda study: study.name)


def load_publish():
    return load_module(STUDIES / "publish.py")


def load_module(file):
    """A program's module, which lies in no package and may import what lies beside it."""
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # dataclasses look there for the types of their fields
    spec.loader.exec_module(module)
    return module


def marked(file):
    """What stands between a file's marks, by their name."""
    return dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", file.read_text(), re.DOTALL))


@of_each("tuning")
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


@of_each("runs")
def test_no_search_ends_on_an_edge(study):
    edges = re.findall(
        r"^\| (?:adam|adamw|lion|muon|sgd) \| .* \| (.+?) \|$", marked(study / "README.md")["search"], re.M
    )
    assert edges == ["–"] * 5


@of_each("runs")
def test_the_control_has_all_its_runs_or_says_which_are_missing_and_a_failure_stands_beside_the_verdict(study):
    page = marked(study / "README.md")
    missing = re.search(r"^Not trained yet, of the published values: (.+)\.$", page["control"], re.M)
    assert page["control"].count("(n = 5)") == 5
    assert page["control"].count("(n = 3)") == 5 - (len(missing[1].split(" and ")) if missing else 0)
    worse = re.search(r"^\*\*Worse than the published values: (.+)\. The protocol failed\.\*\*$", page["control"], re.M)
    fine = "No chosen setting is worse than the published one by more than chance." in page["control"]
    assert fine != bool(worse) and fine != ("failed**" in page["answer"])
    for readme in ("README.md", "README.zh-CN.md"):
        (line,) = re.findall(rf"^- {study.name}: .+$", marked(REPOSITORY / readme)["studies"], re.MULTILINE)
        assert line.count("**") == (2 if fine else 4)  # the answer with the published values stands there, too


def test_the_readmes_and_the_overview_show_what_the_studies_give():
    publish = load_publish()
    tasks, failures = publish.main_tasks(STUDIES)
    for readme, headline in publish.headlines(tasks, failures).items():
        assert marked(REPOSITORY / readme)["studies"].strip() == headline
    assert marked(STUDIES / "README.md")["over_studies"].strip() == publish.describe_over_studies(tasks)


def with_adamws_published_values(study):
    """The pairs that are separated at the study's length, and those that are with these values in their place."""
    chosen = min(group_tasks(read_results([study / "runs"]).runs), key=lambda task: task.config["epochs"])
    (published,) = group_tasks(read_results([study / "published" / "runs"]).runs)
    scores, others = ({one.optimizer: one.final() for one in task.compared} for task in (chosen, published))
    return (
        {frozenset((d.a, d.b)) for d in compare(given).differences if d.low > 0 or d.high < 0}
        for given in (scores, scores | {"adamw": others["adamw"]})
    )


def test_with_adamws_published_values_the_same_pairs_of_cifar_100_are_separated():
    apart, then = with_adamws_published_values(STUDIES / "cifar100")
    assert apart == then and len(apart) == 9


def test_with_adamws_published_values_it_would_be_separated_from_lion_and_nothing_else_would_change():
    apart, then = with_adamws_published_values(CIFAR10)
    assert then - apart == {frozenset(("adamw", "lion"))} and apart <= then
    error = next(
        row for row in read_csv(power.FILE) if row["scenario"] == "the study's scatters" and row["seeds"] == "5"
    )
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


@of_each("tuning")
def test_every_run_is_of_one_commit(study):
    records = [json.loads(path.read_text()) for path in study.rglob("run.json")]
    (commit,) = {record["environment"]["commit"] for record in records}
    assert re.fullmatch("[0-9a-f]{7,}", commit)
    assert len(records) > 50 or not (study / "runs").is_dir()


@of_each("runs")
def test_the_preset_is_the_searchs_choice(tmp_path, study):
    """To the byte, but for where the trials are."""
    choose([str(study / "tuning" / "runs")], str(tmp_path / "into"), write=str(tmp_path), name="again")
    made = [*tmp_path.glob("experiment/*"), *tmp_path.glob("settings/*/*")]
    assert len(made) == 6
    for file in made:
        published = REPOSITORY / "conf" / str(file.relative_to(tmp_path)).replace("again", f"study_{study.name}")
        there, now = (
            re.sub("every trial: .*", "", path.read_text().replace("again/", f"study_{study.name}/"))
            for path in (published, file)
        )
        assert there == now


@of_each("runs")
def test_the_presets_runs_are_the_published_ones(study):
    for epochs in EPOCHS[study.name]:
        cells = compose_grid(["-m", f"experiment=study_{study.name}", f"epochs={epochs}"]).cells
        assert len(cells) == 25
        published = {path.parent.name for path in study.glob("runs/*/*/run.json")}
        assert {cell.directory.name for cell in cells} <= published


def test_the_published_runs_are_records_and_curves_without_names_of_hosts():
    files = [path for path in STUDIES.rglob("*") if path.is_file() and {"runs", "again"} & {*path.parts}]
    assert {path.name for path in files} == {"run.json", "metrics.csv", "confirmations.json"}
    for file in files:
        if file.name == "run.json":
            assert '"host": null' in file.read_text()


@of_each("tuning")
def test_the_search_has_all_the_trials_that_its_protocol_begins_with_or_the_page_has_no_result(study):
    command, *_ = re.findall(
        r"^    python -m sweeper\.train (.* experiment=tune .*)$", (study / "README.md").read_text(), re.M
    )
    cells = compose_grid(shlex.split(command)).cells
    assert len(cells) == 45
    kept = study / "tuning" / "runs"
    whole = all((kept / cell.directory.parent.name / cell.directory.name).is_dir() for cell in cells)
    no_result = "> **No result yet.**" in (study / "README.md").read_text()
    assert (whole or no_result) and no_result != (study / "runs").is_dir()
