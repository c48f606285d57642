"""Curves read back, and thinned without losing an end or a peak."""

from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import make_run

from sweeper.report.curves import at_epochs, comparable_seconds, kept_epochs, read_curve
from sweeper.runs.results import read_results

LOSSES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=400)


def test_a_curve_is_the_files_columns_and_the_seconds_so_far(tmp_path):
    make_run(tmp_path)
    (run,) = read_results([tmp_path]).runs
    curve = read_curve(run)
    assert curve["epoch"] == [1, 2, 3] and curve["test_accuracy"] == [0.8, 0.91, 0.9]
    assert curve["seconds"] == [0.5, 1.0, 1.5]
    assert "val_loss" not in curve


def test_what_is_not_finite_is_a_gap(tmp_path):
    path = make_run(tmp_path) / "metrics.csv"
    path.write_text(path.read_text().replace("0.3333333333333333", "nan"))
    (run,) = read_results([tmp_path]).runs
    assert read_curve(run)["train_loss"] == [1.0, 0.5, None]


def test_a_run_without_a_whole_epoch_has_no_curve(tmp_path):
    path = make_run(tmp_path) / "metrics.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n1,2")
    (run,) = read_results([tmp_path]).runs
    assert read_curve(run) == {}


def test_a_short_curve_is_kept_whole():
    assert kept_epochs([{"epoch": [1.0, 2.0, 3.0]}, {"epoch": [1.0]}]) == [1, 2, 3]
    assert kept_epochs([]) == []


@settings(deadline=None)
@given(LOSSES, LOSSES)
def test_no_end_and_no_extreme_is_lost(first, second):
    curves = [{"epoch": [float(k + 1) for k in range(len(c))], "train_loss": c} for c in (first, second)]
    kept = kept_epochs(curves, most=20)
    assert len(kept) <= 21 + 8
    for curve in curves:
        values = [v for v in curve["train_loss"] if v is not None]
        drawn = [v for v in at_epochs(curve, "train_loss", kept) if v is not None]
        if values:
            assert (drawn[0], drawn[-1], max(drawn), min(drawn)) == (values[0], values[-1], max(values), min(values))


def test_epochs_that_a_run_has_not_are_gaps():
    assert at_epochs({"epoch": [1.0, 2.0], "lr": [0.1, 0.2]}, "lr", [1, 2, 3]) == [0.1, 0.2, None]
    assert at_epochs({"epoch": [1.0]}, "lr", [1]) == [None]


def test_seconds_are_comparable_only_of_runs_alone_on_devices_of_one_kind(tmp_path):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, seed=2)
    runs = read_results([tmp_path]).runs
    assert comparable_seconds(runs) == ""
    runs[0].device_name = "B"
    assert "different devices" in comparable_seconds(runs)
    runs[0].device_name = runs[1].device_name
    runs[0].values["precision"] = "bf16"
    assert "precision" in comparable_seconds(runs)
    for shared in (True, None):
        runs[0].values["shared_device"] = shared
        assert "shared" in comparable_seconds(runs)
