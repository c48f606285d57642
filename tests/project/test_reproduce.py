"""Published accuracies: the page is made of its records, each of its row's recipe, and the verdict is by the rule."""

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

import pytest
from conftest import REPOSITORY, merged
from made_runs import make_run

from benchmarks import reproduce
from benchmarks.figures import fill
from benchmarks.published import ROWS, Row
from benchmarks.reproduce import Outcome, band, check_recipe, judge, read, replace, tables, welch
from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput

RECORDS = REPOSITORY / "docs" / "reproduction"
PAGE = REPOSITORY / "docs" / "reproduction.md"
MADE = ("dataset.loader=benchmarks.made.cifar10_shapes", "dataset.train_limit=64", "dataset.test_limit=32")
TINY = ("device=cpu", *MADE, "model.width=2", "epochs=1", "seed=1,2", "hydra/launcher=basic")


def outcome(final: list[float], status: str = "completed") -> Outcome:
    n = len(final)
    return Outcome(final if status == "completed" else [], final, final, [3] * n, [status] * n)


def row(accuracy: float | None = 95.0, deviation: float | None = None, n: int | None = None, **other) -> Row:
    return Row("a row", "epochs=3", accuracy, deviation, n, **other)


def test_the_page_is_made_of_its_records():
    assert fill(PAGE, tables(RECORDS)) == PAGE.read_text()


def test_a_mean_on_the_page_is_that_of_the_records_themselves():
    records = [json.loads(path.read_text()) for path in (RECORDS / "runs/cifar10-sgd").rglob("run.json")]
    final = [100 * record["result"]["final_test_accuracy"] for record in records]
    assert len(final) == 5 and {record["config"]["seed"] for record in records} == {1, 2, 3, 4, 5}
    assert f"| {fmean(final):.2f} ± {stdev(final):.2f} (n = 5) |" in PAGE.read_text()


def test_an_end_just_above_0_is_not_shown_as_0():
    """With norms and biases decayed the tool is better by an interval that ends 0.0045 points above 0."""
    decayed, not_decayed = (
        [
            json.loads(path.read_text())["result"]["final_test_accuracy"]
            for path in (RECORDS / "runs" / name).rglob("run.json")
        ]
        for name in ("cifar10-sgd", "cifar10-sgd-undecayed")
    )
    difference, half = welch(decayed, not_decayed)
    assert 0 < difference - half < 0.00005
    assert "+0.27 (+0.005 to +0.54)" in PAGE.read_text()


def test_records_tell_their_commit_and_no_host():
    for path in RECORDS.rglob("run.json"):
        environment = json.loads(path.read_text())["environment"]
        assert environment["host"] is None and len(environment["commit"]) == 12


@pytest.mark.parametrize("name", ROWS)
def test_a_rows_words_are_a_whole_recipe(name):
    """They can be composed, set every value of optimizer and schedule that the source tells, and are found again."""
    (cell,) = compose_grid(ROWS[name].words).cells
    check_recipe("here", cell.config, ROWS[name].words)
    named = {word.partition("=")[0] for word in ROWS[name].words}
    needed = {"dataset", "model", "optimizer", "optimizer.lr", "optimizer.weight_decay", "schedule", "epochs"}
    needed |= {"batch_size", "decay_norms_and_biases", "schedule.warmup_fraction"}
    needed |= {"optimizer.momentum", "optimizer.nesterov"} if "optimizer=sgd" in ROWS[name].words else set()
    assert needed <= named


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("cifar10-resnet20", [32_000, 48_000]),
        ("cifar10-adamw", [80 * 391, 160 * 391]),
        ("cifar10-adam", [80 * 391, 160 * 391]),
    ],
)
def test_the_rate_falls_at_the_sources_steps(name, steps):
    (cell,) = compose_grid(ROWS[name].words).cells
    total = cell.config["epochs"] * math.ceil(50_000 / cell.config["batch_size"])
    assert [round(part * total) for part in cell.config["schedule"]["milestones"]] == steps


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([95.0, 95.1], row(), 0.3),  # 2·√(0.005 / 2) = 0.1
        ([94.0, 96.0], row(), 2 * math.sqrt(2 / 2)),
        ([95.0, 95.0, 95.0], row(deviation=0.6, n=4), 2 * math.sqrt(0.36 / 4)),
        ([94.0, 96.0], row(deviation=0.6, n=4), 2 * math.sqrt(1 + 0.09)),
        ([94.0, 96.0], row(deviation=0.6), 2.0),  # an n that isn't told counts nothing
        ([95.0], row(), 0.3),
    ],
)
def test_the_band_is_that_of_both_errors_and_never_below_three_tenths(ours, theirs, expected):
    assert band(ours, theirs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("came", "published", "verdict"),
    [
        (outcome([95.2, 95.3]), row(), "holds"),
        (outcome([95.3, 95.4]), row(), "doesn't hold"),
        (outcome([94.6, 94.7]), row(), "doesn't hold"),
        (outcome([94.6, 94.7]), row(context=True), "context"),
        (outcome([]), row(), "not run"),
        (outcome([95.0, 95.0], "interrupted"), row(), "not finished"),
        (Outcome([90.0, 90.0], [95.0, 95.0], [], [], ["completed"] * 2), row(epoch="best"), "holds"),
    ],
)
def test_a_verdict_is_by_the_rule(came, published, verdict):
    assert judge(came, published) == verdict


def test_one_run_that_did_not_end_leaves_the_row_without_a_verdict():
    assert judge(Outcome([95.0] * 2, [95.0] * 2, [95.0] * 3, [3] * 3, ["completed"] * 2 + ["failed"]), row()) == (
        "not finished"
    )


def test_welch_is_scipys():
    from scipy.stats import ttest_ind

    a, b = [94.99, 94.98, 94.81, 95.37, 94.89], [94.62, 94.76, 94.87, 94.69]
    theirs = ttest_ind(a, b, equal_var=False).confidence_interval()
    difference, half = welch(a, b)
    assert (difference - half, difference + half) == pytest.approx((theirs.low, theirs.high))


def test_runs_of_another_recipe_are_refused(tmp_path):
    make_run(tmp_path)
    assert read(tmp_path, ["dataset=digits", "epochs=3", "optimizer.lr=0.1"]).ended
    with pytest.raises(BadInput, match=r"optimizer\.lr is 0\.1, but this row has 0\.2"):
        read(tmp_path, ["optimizer.lr=0.2"])


def test_a_page_without_a_tables_place_is_refused_by_its_name(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a page")
    with pytest.raises(BadInput, match=r"page\.md: it has no place <!-- results -->"):
        fill(page, {"results": "a table"})


def test_an_override_takes_the_place_of_the_rows_own_word():
    assert replace(["a=1", "b=2"], ["b=3", "c=4"]) == ["a=1", "b=3", "c=4"]


@pytest.mark.parametrize("words", [["nonsense"], [], ["cifar10-sgd", "--table"], ["cifar10-sgd-undecayed"]])
def test_what_it_cannot_train_is_refused(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        reproduce.main(words)
    assert stopped.value.code == 2 and "error:" in capsys.readouterr().err


def test_without_a_gpu_it_says_so_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "kinds_here", lambda: {"cuda": False, "mps": False, "cpu": True})
    assert reproduce.main(["cifar10-sgd"]) == 2
    assert "device=cpu trains it all the same" in capsys.readouterr().err


@pytest.mark.slow
def test_a_row_is_trained_and_judged(tmp_path):
    """Tiny runs on random images are far from the published accuracy, and near to their own."""
    command = [sys.executable, "-m", "benchmarks.reproduce", "cifar10-sgd", *TINY, f"outputs={tmp_path}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    words = "(n = 2) at the last epoch, published 95.06 ± 0.30 (n = 3): doesn't hold"
    assert done.stdout.splitlines()[-1].endswith(words)
    recipe = [word for word in ROWS["cifar10-sgd"].words if word != "epochs=100"]
    came = read(Path(tmp_path), recipe)
    assert came.ended and len(came.final) == 2
    assert judge(came, dataclasses.replace(ROWS["cifar10-sgd"], accuracy=fmean(came.final))) == "holds"


def test_a_bad_override_ends_it(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.reproduce",
        "cifar10-sgd",
        *merged(*TINY, "epochs=no"),
        f"outputs={tmp_path}",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "epochs=no" in done.stderr
