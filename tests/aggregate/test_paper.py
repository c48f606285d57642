"""The files for a paper, of the study that is published here and of runs without results."""

import csv
import io
import re

import pytest
from conftest import REPOSITORY
from latex_reader import cells, check_latex
from made_runs import make_run

from sweeper.aggregate.paper import paper_files, shown_tasks
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.layout import PAPER_FILES
from sweeper.runs.results import read_results

STUDY = REPOSITORY / "docs" / "study" / "cifar10"


@pytest.fixture(scope="module")
def study():
    tasks = group_tasks(read_results([STUDY / "runs", STUDY / "tuning" / "runs"]).runs)
    return tasks, {name: content.decode() for name, content in paper_files(tasks).items()}


def test_the_studys_files_are_well_formed(study):
    _, files = study
    assert sorted(files) == sorted(PAPER_FILES)
    for name in ("table.tex", "pairs.tex", "setup.tex"):
        check_latex(files[name])


def test_the_search_stands_in_the_setup_and_not_in_the_table(study):
    tasks, files = study
    """Not even if runs with other seeds confirmed it."""
    assert len(tasks) == 3 and len(shown_tasks(tasks)) == 2 and len(cells(files["table.tex"])[0]) == 3
    assert "(12 trials, 1,800 epochs)" in files["setup.tex"]
    assert len(list(csv.reader(io.StringIO(files["pairs.csv"])))) == 1 + 2 * 10


def test_every_citation_has_its_entry(study):
    _, files = study
    cited = {
        key for text in files.values() for keys in re.findall(r"\\cite\{([^}]*)\}", text) for key in keys.split(",")
    }
    there = set(re.findall(r"@\w+\{(\w+),", files["references.bib"]))
    assert {"tukey1953", "adam"} < cited <= there and there - cited == {"dodge2019"}
    assert "% No reference is known for sgd." in files["setup.tex"]


@pytest.mark.parametrize("status", ["failed", "diverged", "running"])
def test_without_completed_runs_the_files_are_there(tmp_path, status):
    make_run(tmp_path, status, error=None if status == "running" else "x")
    files = paper_files(group_tasks(read_results([tmp_path]).runs))
    assert sorted(files) == sorted(PAPER_FILES)
    for name, content in files.items():
        if name.endswith(".tex"):
            check_latex(content.decode())


def two_names(folder):
    for digest, accuracy in (("d", 0.9), ("e", 0.8)):
        for optimizer in ("sgd", "lion"):
            for seed in (1, 2, 3):
                there = {"data_digest": digest * 64}
                run = {"optimizer": optimizer, "seed": seed, "environment": there}
                make_run(folder / digest, accuracy=accuracy + seed / 1000 * (optimizer == "sgd"), **run)


def unbalanced(folder):
    for optimizer, seeds in (("a", (1, 2, 3, 4)), ("b", (2, 3)), ("c", (9,))):
        for seed in seeds:
            make_run(folder, accuracy=0.9 + 0.01 * (seed % 3), optimizer=optimizer, seed=seed)


def one_optimizer(folder):
    for seed in (1, 2):
        make_run(folder, accuracy=0.9, seed=seed)


def identical(folder):
    for optimizer in ("sgd", "lion"):
        for seed in (1, 2, 3):
            make_run(folder, accuracy=0.9, optimizer=optimizer, seed=seed)


def five_tasks(folder):
    for epochs in (3, 4, 5, 6, 7):
        for optimizer in ("sgd", "lion"):
            make_run(folder, accuracy=0.9, optimizer=optimizer, epochs=epochs)


def damaged(folder):
    (make_run(folder) / "run.json").write_text("")


@pytest.mark.parametrize("make", [two_names, unbalanced, one_optimizer, identical, five_tasks, damaged])
def test_odd_runs_give_whole_files(tmp_path, make):
    make(tmp_path)
    files = paper_files(group_tasks(read_results([tmp_path]).runs))
    for name, content in files.items():
        assert b"nan" not in content and b"inf" not in content
        if name.endswith(".tex"):
            check_latex(content.decode())
