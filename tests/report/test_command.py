"""The report as a user asks for it: the page's words and numbers, whatever the folder holds."""

import csv
import json
import random
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from made_runs import change_record, make_run, make_study

from sweeper.aggregate.command import aggregate
from sweeper.report.command import main, report
from sweeper.report.page import hash_source

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7*7 }}",
    "a" * 300,
    "🐸 émoji \u202e",
)


class Page(HTMLParser):
    """A page's texts, the cells of its tables by the table's id, and its scripts."""

    def __init__(self, path):
        super().__init__()
        self.text, self.tables, self.scripts, self.tags = "", {}, [], []
        self._table, self._inside = None, ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts.append("")
        elif tag == "table":
            self._table = self.tables.setdefault(dict(attributes)["id"], [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = ""
        elif tag == "table":
            self._table = None

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data
            return
        self.text += re.sub(r"\s+", " ", data)
        if self._table and self._table[-1] and data.strip():
            self._table[-1][-1] += data.strip()


@pytest.fixture
def page(tmp_path):
    """`page()`: the page of the runs made in tmp_path."""

    def read():
        (path,) = report([str(tmp_path)])
        return Page(path)

    return read


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("study")
    make_study(outputs, epochs=6)
    aggregate([str(outputs)], None, ["csv"])
    (path,) = report([str(outputs)])
    return outputs, Page(path)


def test_the_page_has_every_section(study):
    _, page = study
    for title in (
        "Why?",
        "Ranking",
        "Learning curves",
        "Accuracy under label noise",
        "Final and best accuracy of each seed",
        "Steps to the target",
        "Over all tasks together",
        "Speed and memory",
        "What differs between the runs",
        "All runs, and how to make each again",
    ):
        assert title in page.text
    assert "sensitivity to the learning rate (one rate an optimizer)" in page.text  # nothing is left out silently


def test_it_needs_nothing_but_itself(study):
    """No element that fetches, and a policy that forbids the rest."""
    outputs, page = study
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    text = (outputs / "report.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert f"default-src 'none'; script-src '{hash_source(script)}'; style-src" in text
    assert not re.search(r"<[^>]*\b(src|href)=\"(?!#)", text[: text.index('<script type="application/json"')])


def test_no_sentence_around_the_tables_has_more_than_25_words(study):
    outputs, _ = study
    page = (outputs / "report.html").read_text()
    texts = re.findall(
        "<p(?: class=.note.)?>(.*?)</p>", page[: page.index('<script type="application/json"')], re.DOTALL
    )
    said = [one for text in texts for one in re.split(r"(?<=[.!?])\s+", re.sub("<[^>]*>", "", text).strip())]
    assert len(said) > 30
    for sentence in said:
        if not sentence.startswith("Not shown"):  # a list
            assert len([word for word in sentence.split() if any(map(str.isalnum, word))]) <= 25, sentence


def test_ranking_and_runs_have_the_tables_numbers(study):
    outputs, page = study
    with (outputs / "summary.csv").open() as file:
        rows = {(row["optimizer"], float(row["noise_rate"])): row for row in csv.DictReader(file)}
    for table, rate in (("ranking-0", 0.0), ("ranking-1", 0.2)):
        for cells in page.tables[table][1:]:
            row = rows[cells[0], rate]
            mean, std = 100 * float(row["final_test_accuracy_mean"]), 100 * float(row["final_test_accuracy_std"])
            assert cells[1] == f"{mean:.2f} ± {std:.2f} % (n = 3)"
            low, high = (100 * float(row[f"final_test_accuracy_ci95_{end}"]) for end in ("low", "high"))
            assert cells[2] == f"{low:.2f} to {high:.2f}"
    with (outputs / "results.csv").open() as file:
        final = {row["run"]: f"{100 * float(row['final_test_accuracy']):.2f}" for row in csv.DictReader(file)}
    assert {cells[0]: cells[1] for cells in page.tables["runs-table"][1:]} == final


def test_each_run_has_its_command(study):
    _, page = study
    commands = [cells[-1] for cells in page.tables["runs-table"][1:]]
    assert len(set(commands)) == len(commands) == 30
    assert all(
        command.startswith("python -m sweeper.train dataset=digits model=cnn optimizer=") for command in commands
    )


def test_it_imports_neither_torch_nor_pandas_and_matplotlib_only_for_figures(tmp_path):
    make_run(tmp_path)
    code = (
        "import sys; from sweeper.report.command import main; main(sys.argv[1:]);"
        "print({'torch', 'pandas', 'matplotlib', 'scipy.stats', 'hydra'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_no_runs_are_one_line(tmp_path, capsys):
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "there is no such folder"),
        ([str(tmp_path)], "there are no runs in this folder"),
        (["--figure=x", "--fig"], "see python -m sweeper.report --help"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and words in error and error.count("\n") == 1


def test_a_folder_that_is_a_file_is_one_line(tmp_path, capsys):
    make_run(tmp_path / "outputs")
    (tmp_path / "file").touch()
    advice = {
        "--into": f"python -m sweeper.report {tmp_path}/outputs --into DIR writes elsewhere",
        "--figures": "choose another folder by --figures DIR",
    }
    for option, words in advice.items():
        assert main([str(tmp_path / "outputs"), option, str(tmp_path / "file" / "x")]) == 2
        error = capsys.readouterr().err
        assert error == f"error: {tmp_path}/file/x: can't be written: Not a directory; {words}\n"


def test_one_run(tmp_path, page):
    make_run(tmp_path)
    found = page()
    assert "There is one optimizer only: sgd with 90.00 % (n = 1)" in found.text
    assert "nan" not in found.text.lower()
    assert "1 run, with its command" in found.text and "since this run has nothing to show there" in found.text
    assert "these runs" not in found.text and "1 runs" not in found.text


def test_one_seed(tmp_path, page):
    make_run(tmp_path)
    make_run(tmp_path, optimizer="adam", accuracy=0.8)
    found = page()
    assert "one seed tells nothing of chance" in found.text
    assert [cells[3] for cells in found.tables["ranking-0"][1:]] == ["–", "–"]  # no interval, no rank


def test_only_failed_runs(tmp_path, page):
    for seed in (1, 2):
        make_run(tmp_path, "failed", seed=seed, error="CUDA out of memory")
    found = page()
    assert "No run has completed on this task" in found.text
    assert [cells[1:] for cells in found.tables["bad-table"][1:]] == [["failed", "3", "CUDA out of memory"]] * 2


def test_only_damaged_runs(tmp_path, page):
    (make_run(tmp_path) / "run.json").write_text('{"status": "comp')
    found = page()
    assert "Runs that can't be read" in found.text and "not whole JSON" in found.text


def test_mixed_lengths_are_not_compared(tmp_path, page):
    make_run(tmp_path, accuracy=0.8)
    make_run(tmp_path, accuracy=0.9, epochs=30, optimizer="adam")
    found = page()
    assert "Runs of different length or batch size stand as tasks of their own" in found.text
    assert found.text.count("There is one optimizer only") == 2


def test_mixed_devices_are_named_and_each_has_its_speed(tmp_path, page):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, seed=2, environment={"device": "cuda", "device_name": "Some GPU", "precision": "bf16"})
    found = page()
    assert "not all made alike (device: cpu, cuda; precision: bf16, fp32)" in found.text
    assert [cells[5] for cells in found.tables["speed-table"][1:]] == ["Some GPU bf16", "cpu fp32"]


def test_shared_devices_have_no_speed(tmp_path, page):
    change_record(make_run(tmp_path, seed=1), result__shared_device=True)
    make_run(tmp_path, seed=2)
    found = page()
    assert found.tables["speed-table"][1][4] == "1" and "1 other shared it" in found.text


def test_what_the_study_cost_is_told_if_every_run_tells(tmp_path, page):
    for seed in (1, 2):
        make_run(tmp_path, seed=seed, environment={"device_seconds": 75.0})
    assert "device time2 min 30 s, with set-up and evaluation" in page().text.replace("device time ", "device time")
    make_run(tmp_path, seed=3)
    assert "device time" not in page().text


def test_half_written_runs(tmp_path, page):
    metrics = make_run(tmp_path, "interrupted", seed=1) / "metrics.csv"
    metrics.write_bytes(metrics.read_bytes()[:-20])
    (make_run(tmp_path, seed=2) / "run.json").write_text('{"schema_version": 1, "sta')
    make_run(tmp_path, seed=3)
    found = page()
    assert "1 run is not finished" in found.text and "1 run is failed or damaged" in found.text
    assert "(n = 1)" in found.tables["ranking-0"][1][1]


def test_a_diverged_run_is_told_and_averaged_into_nothing(tmp_path, page):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed)
    make_run(tmp_path, "diverged", seed=4, error="the loss is nan in epoch 3, step 55")
    found = page()
    assert "sgd diverged in 1 of 4 finished runs" in found.text
    assert found.tables["ranking-0"][1][1] == "90.00 ± 0.00 % (n = 3)"
    assert found.tables["bad-table"][1][1:] == ["diverged", "3", "the loss is nan in epoch 3, step 55"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_texts(tmp_path, page, name):
    run = make_run(tmp_path, "failed", optimizer=name, tag=name, dataset={"name": name}, error=name)
    change_record(run, environment__device_name=name, environment__overrides=[f"tag={name}"])
    make_run(tmp_path, optimizer=name, dataset={"name": name}, tag=name)
    found = page()
    assert name.replace("\u202e", " ") in found.text
    assert len(found.scripts) == 3 and "img" not in found.tags  # style, data, ours
    assert json.loads(found.scripts[1])["curves"][0]["settings"]


@pytest.mark.parametrize("seed", range(4))
def test_any_mixture_of_runs_has_a_page(tmp_path, page, seed):
    numbers = random.Random(seed)
    for k in range(12):
        status = numbers.choice(["completed", "completed", "diverged", "failed", "interrupted", "running"])
        rate = numbers.choice([0.0, 0.2])
        noise = {"name": "pair" if rate else "none", "kind": "pair" if rate else "none", "rate": rate, "seed": 0}
        run = make_run(
            tmp_path / str(k),
            status,
            numbers.random() * 0.8 + 0.1,
            optimizer=numbers.choice(["sgd", "lion", "adam"]),
            seed=numbers.randrange(3),
            epochs=numbers.choice([3, 3, 30]),
            noise=noise,
            target_accuracy=numbers.choice([None, 0.5]),
            optimizer__lr=numbers.choice([0.1, 0.01, None]),
            environment={"device": numbers.choice(["cpu", "cuda", None]), "device_name": numbers.choice([None, "A"])},
        )
        if numbers.random() < 0.2:
            (run / numbers.choice(["metrics.csv", "run.json"])).write_text("")
    found = page()
    assert len(found.tables["runs-table"]) > 1
    assert not re.search(r"\b(nan|None|inf)\b", found.text)
