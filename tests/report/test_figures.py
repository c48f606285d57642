"""Figures as files that a paper takes."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import change_record, make_rows, make_run, make_study

from sweeper.aggregate.tasks import group_tasks
from sweeper.report.command import main, report
from sweeper.report.curves import read_curve
from sweeper.report.figures import NAMES, _curves, draw_figures
from sweeper.runs.directory import RunDirectory
from sweeper.runs.results import read_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    make_study(folder / "outputs", optimizers=("sgd", "_odd $x$ 🐸"), epochs=4)
    report([str(folder / "outputs")], figures=str(folder / "made" / "here"))
    return folder / "made" / "here"


def test_each_figure_is_a_png_an_svg_and_a_pdf(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{name}.{form}" for name in ("curves", "forest", "noise", "seeds") for form in ("pdf", "png", "svg")
    ]
    for path in folder.glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG") and int.from_bytes(content[16:20], "big") >= 1900  # pixels wide


def test_texts_are_texts_and_names_are_not_mathematics(folder):
    text = (folder / "curves.svg").read_text()
    assert "test accuracy (%)" in text and "_odd $x$ 🐸" in text and ">sgd<" in text


def test_without_results_nothing_is_drawn_and_it_says_so(tmp_path):
    make_run(tmp_path / "outputs", "failed")
    command = [sys.executable, "-m", "sweeper.report", "outputs", "--figures", "figures"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("no figures: no run has completed yet\n")
    assert not Path(tmp_path, "figures").exists()


def test_figures_that_stay_from_an_earlier_report_are_named(tmp_path, monkeypatch, capsys):
    """A setting that is added takes the verdict away, and with it the figure of the intervals."""
    monkeypatch.chdir(tmp_path)
    for seed in (1, 2, 3):
        for optimizer, accuracy in (("sgd", 0.9), ("lion", 0.8)):
            make_run(tmp_path / "outputs", optimizer=optimizer, seed=seed, accuracy=accuracy**seed)
    assert main(["--figures", "figures"]) == 0 and "earlier" not in capsys.readouterr().out
    make_run(tmp_path / "outputs", optimizer="lion", optimizer__lr=9.0, accuracy=0.99)
    assert main(["--figures", "figures"]) == 0
    files = "figures/forest.png, figures/forest.svg, figures/forest.pdf"
    told = f"of an earlier report, and no longer of these runs: {files}; remove them\n"
    assert capsys.readouterr().out.endswith(told) and Path("figures/forest.png").exists()


def test_every_figure_that_can_be_drawn_is_among_the_names():
    drawn = inspect.getsource(draw_figures)
    assert [name for name in NAMES if f'"{name}"' not in drawn] == []
    assert set(re.findall(r'(?:files\(|^ +)"(\w+)"[,:]', drawn, re.M)) == set(NAMES)


def test_the_curves_axis_shows_what_differs_late(tmp_path):
    """Curves rise from below 50 % to above 90 %; a long name of a task takes two lines and is not cut."""
    make_study(tmp_path, optimizers=("sgd", "lion"), rates=(0.0,))
    tasks = group_tasks(read_results([tmp_path]).runs)
    tasks[0].label = "a data set of a long name, a model of a long name, 20 % symmetric label noise"
    curves = {run.path: read_curve(run) for run in tasks[0].runs()}
    (axes,) = _curves(tasks, curves).axes
    first = min(curve["test_accuracy"][0] for curve in curves.values())
    assert 100 * first < 50 < axes.get_ylim()[0] < 90
    assert axes.get_title().count("\n") == 1 and axes.get_title().endswith("noise")


def test_a_wide_late_band_is_whole(tmp_path):
    """Two seeds end 20 points apart: their band is as far above their mean as below it."""
    for seed, end in ((1, 0.6), (2, 0.8)):
        run = make_run(tmp_path, seed=seed, accuracy=end, epochs=10)
        RunDirectory(run).write_metrics(make_rows([end] * 10))
        change_record(run, result__epochs_done=10, result__steps=200)
    tasks = group_tasks(read_results([tmp_path]).runs)
    (axes,) = _curves(tasks, {run.path: read_curve(run) for run in tasks[0].runs()}).axes
    (band,) = axes.collections
    ends = band.get_paths()[0].vertices[:, 1]
    assert ends.max() == pytest.approx(84.14, abs=0.01)
    assert axes.get_ylim()[0] < ends.min() and ends.max() < axes.get_ylim()[1] < 100


def test_no_axis_shows_more_than_100_percent(tmp_path):
    """Of two seeds one dips from 90 to 10 %: mean + standard deviation is 107 %."""
    for seed, dip in ((1, 0.1), (2, 0.9)):
        run = make_run(tmp_path, seed=seed, epochs=100)
        RunDirectory(run).write_metrics(make_rows([0.9] * 59 + [dip] + [0.9] * 40))
        change_record(run, result__epochs_done=100, result__steps=2000)
    tasks = group_tasks(read_results([tmp_path]).runs)
    curves = {run.path: read_curve(run) for run in tasks[0].runs()}
    (axes,) = _curves(tasks, curves).axes
    assert 90 < axes.get_ylim()[1] < 100
    (band,) = axes.collections
    assert band.get_paths()[0].vertices[:, 1].max() == 100


def test_a_single_dip_does_not_set_the_axis_and_the_same_runs_give_the_same_files(tmp_path):
    """100 epochs at 90 %, of which one late one at 10 %."""
    run = make_run(tmp_path, epochs=100)
    RunDirectory(run).write_metrics(make_rows([0.9] * 59 + [0.1] + [0.9] * 40))
    change_record(run, result__epochs_done=100, result__steps=2000)
    tasks = group_tasks(read_results([tmp_path]).runs)
    curves = {run.path: read_curve(run) for run in tasks[0].runs()}
    (axes,) = _curves(tasks, curves).axes
    assert 80 < axes.get_ylim()[0] < 90
    first, second = (dict(draw_figures(tasks, curves)) for _ in range(2))
    assert first == second and {"curves.svg", "curves.pdf"} <= first.keys()
