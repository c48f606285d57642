"""What is said over all studies, `docs/study/headlines.py`."""

import pytest
from made_runs import make_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results
from tests.project.test_study import load_publish, marked


@pytest.fixture
def studies(tmp_path):
    """An overview, and two studies' folders without runs."""
    (tmp_path / "README.md").write_text("<!-- over_studies -->\n<!-- /over_studies -->\n")
    places = ("answer", "results", "search", "limits", "timescale", "cost", "again", "control")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        marks = "\n".join(f"<!-- {place} -->\n<!-- /{place} -->" for place in places)
        (tmp_path / name / "README.md").write_text(f"{marks}\n")
    return tmp_path


@pytest.mark.slow
def test_two_studies_are_told_together_by_the_task_of_each_that_was_tuned(tmp_path, studies):
    """Of the first study that is the shorter one: in the longer one the order is reversed."""
    for seed in (1, 2):
        for name, short, long, other in (("sgd", 0.9, 0.5, 0.7), ("adam", 0.8, 0.6, 0.6), ("lion", 0.85, 0.55, 0.62)):
            run = {"optimizer": name, "seed": seed}
            make_run(tmp_path / "a", **run, epochs=2, accuracy=short)
            make_run(tmp_path / "a", **run, epochs=4, accuracy=long)
            make_run(tmp_path / "b", **run, epochs=2, accuracy=other, model__name="mlp")
    publish = load_publish().publish
    publish([str(tmp_path / "a")], studies / "first", tmp_path / "none")
    assert marked(studies / "README.md")["over_studies"] == ""
    publish([str(tmp_path / "b")], studies / "second", tmp_path / "none")
    told = marked(studies / "README.md")["over_studies"]
    assert "2 tasks. digits, cnn, no label noise, 2 epochs; digits, mlp, no label noise, 2 epochs." in told
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith(("| sgd", "| lion", "| adam"))]
    assert [(row[0], row[1]) for row in rows] == [("| sgd", "1.00"), ("| lion", "0.35"), ("| adam", "0.00")]
    assert "Mean ranks" not in told


def test_readmes_show_the_studies_side_by_side(tmp_path):
    for seed in (1, 2):
        for name, right, wrong in (("sgd", 0.9, 0.7), ("adam", 0.8, 0.6)):
            make_run(tmp_path / "a", optimizer=name, seed=seed, accuracy=right + seed / 1000)
            noise = {"name": "symmetric", "rate": 0.2}
            make_run(tmp_path / "b", optimizer=name, seed=seed, accuracy=wrong, noise=noise)
    make_run(tmp_path / "b", optimizer="lion", seed=1, accuracy=0.5, noise=noise)
    tasks = [group_tasks(read_results([tmp_path / name]).runs)[0] for name in "ab"]
    told = load_publish().headlines(tasks)["README.md"]
    assert "- digits: **" in told and "- digits, 20 % wrong labels: **" in told
    assert [line for line in told.splitlines() if line.startswith("|")] == [
        "| optimizer | digits: test accuracy | lr, weight decay | digits, 20 % wrong labels: test accuracy | "
        "lr, weight decay |",
        "| --- | --- | --- | --- | --- |",
        "| sgd | 90.15 ± 0.07 % (n = 2) | 0.1, 0.0005 | 70.00 ± 0.00 % (n = 2) | 0.1, 0.0005 |",
        "| adam | 80.15 ± 0.07 % (n = 2) | 0.1, 0.0005 | 60.00 ± 0.00 % (n = 2) | 0.1, 0.0005 |",
        "| lion | – | – | 50.00 % (n = 1) | 0.1, 0.0005 |",
    ]
    assert load_publish().headlines([]) == {}
