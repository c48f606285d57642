"""The page's sections of charts: each has its words, and the page shows those that have charts."""

from pathlib import Path

from made_runs import make_run, make_study

from sweeper.aggregate.tasks import group_tasks
from sweeper.report.command import report
from sweeper.report.curves import read_curve
from sweeper.report.sections import chart_sections
from sweeper.runs.results import read_results


def sections(outputs: Path) -> list:
    runs = read_results([outputs]).runs
    return chart_sections(group_tasks(runs), {run.path: read_curve(run) for run in runs})


def test_a_section_has_charts_where_there_is_something_to_compare(tmp_path):
    make_study(tmp_path / "study", optimizers=("adam", "sgd"), seeds=(1, 2), epochs=5)
    found = {section.name: bool(section.charts) for section in sections(tmp_path / "study")}
    assert found == {"noise": True, "seeds": True, "lr": False, "tuning": False}
    make_run(tmp_path / "one", "failed")
    assert not any(section.charts for section in sections(tmp_path / "one"))


def test_the_page_shows_those_with_charts_and_says_what_is_missing(tmp_path):
    make_study(tmp_path / "outputs", optimizers=("adam", "sgd"), seeds=(1, 2), epochs=5)
    report([str(tmp_path / "outputs")])
    page = (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
    for section in sections(tmp_path / "outputs"):
        assert (f'id="{section.name}-charts"' in page) == bool(section.charts)
        assert (section.note in page) == bool(section.charts)
        assert (section.absent in page) != bool(section.charts)


def test_a_setting_that_diverged_is_named_below_the_learning_rates(tmp_path):
    make_run(tmp_path, "diverged", error="loss not finite")
    (note,) = [section.note for section in sections(tmp_path) if section.name == "lr"]
    assert "has no point here: sgd (1 of 1)." in note
