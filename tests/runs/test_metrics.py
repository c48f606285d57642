"""`metrics.csv` read back, whole or not, and the figures that a run without a result has so far."""

import pytest
from made_runs import make_rows

from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import METRICS, figures, figures_so_far, read_metrics
from sweeper.runs.status import Status

HEADER = ",".join(METRICS)
LINE = "{},20,0.1,0.5,0.9,,,,,1.0,{},0.5,2000.0"  # of an epoch, and its test accuracy


@pytest.fixture
def read(tmp_path):
    """`read(content)`: what is read of a file of that content."""

    def read_content(content: str | bytes):
        file = tmp_path / "metrics.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_metrics(file)

    return read_content


def test_what_a_run_writes_is_read_back(tmp_path):
    rows = make_rows([0.5, 1 / 3, 0.25])
    RunDirectory(tmp_path).write_metrics(rows)
    assert read_metrics(tmp_path / "metrics.csv") == (rows, None)


def test_no_file_is_no_row_and_no_damage(tmp_path):
    assert read_metrics(tmp_path / "metrics.csv") == ([], None)


def test_a_header_alone_is_no_row_and_no_damage(read):
    assert read(f"{HEADER}\n") == ([], None)


def test_a_last_line_without_its_end_may_be_half_a_number_and_does_not_count(read):
    rows, damage = read(f"{HEADER}\n{LINE.format(1, 0.5)}\n{LINE.format(2, 0.6)}")
    assert [row["epoch"] for row in rows] == [1]
    assert damage == "metrics.csv: cut off after 1 whole row"


@pytest.mark.parametrize("header", ["", HEADER[:-1], "epoch,accuracy", f"{HEADER},more"])
def test_a_file_of_other_columns_is_named(read, header):
    expected = "metrics.csv: its first line is not the names of the metrics"
    assert read(f"{header}\n{LINE.format(1, 0.5)}\n") == ([], expected)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1,2",
        LINE.format("two", 0.5),
        LINE.format("", 0.5),
        LINE.format(-1, 0.5),
        LINE.format("inf", 0.5),
        LINE.format(2, 0.5).replace("0.5,2000.0", "1e308,2000.0"),  # sums of such are none
        LINE.format(2, 1.5),
        LINE.format(2, "nan"),
        LINE.format(2, 0.5) + ",7",
    ],
)
def test_rows_after_one_that_can_not_be_read_are_not_believed(read, line):
    rows, damage = read("\n".join([HEADER, LINE.format(1, 0.5), line, LINE.format(3, 0.9), ""]))
    assert [row["test_accuracy"] for row in rows] == [0.5]
    assert damage == "metrics.csv: can't be read after 1 whole row"


def test_bytes_that_are_no_text_are_damage(read):
    rows, damage = read(f"{HEADER}\n{LINE.format(1, 0.5)}\n".encode() + b"\xff\xfe\x00\n")
    assert len(rows) == 1 and damage is not None


def test_figures_so_far_by_hand():
    rows = make_rows([0.2, 0.8, 0.8, 0.5])  # 20 steps an epoch
    for row, seconds, speed in zip(rows, (1.0, 2.0, 3.0, 4.0), (100.0, 200.0, 300.0, 400.0), strict=True):
        row |= {"train_seconds": seconds, "images_per_second": speed, "val_accuracy": row["test_accuracy"] / 2}
    assert figures_so_far(rows, target=0.8) == {
        "epochs_done": 4,
        "steps": 80,
        "final_test_accuracy": None,  # whatever the last epoch's is, it may not be the final one
        "final_val_accuracy": None,
        "final_train_loss": None,
        "best_test_accuracy": 0.8,
        "best_epoch": 2,  # the first of equals
        "best_val_accuracy": 0.4,
        "steps_to_target": 40,
        "train_seconds": 10.0,
        "images_per_second": 300.0,  # (100 + 400 + 900 + 1600) images in 10 seconds
    }


def test_a_target_not_reached_yet_is_unknown_not_infinite():
    assert figures_so_far(make_rows([0.2, 0.3]), target=0.9)["steps_to_target"] is None
    assert figures_so_far(make_rows([0.2, 0.3]), target=None)["steps_to_target"] is None


@pytest.mark.parametrize(("status", "steps"), [("completed", "inf"), ("diverged", "inf"), ("interrupted", None)])
def test_a_result_has_the_figures_so_far_and_in_the_end_those_that_are_final(status, steps):
    rows = make_rows([0.2, 0.8, 0.5])
    final = {"final_test_accuracy": 0.5, "final_train_loss": 1 / 3} if status == "completed" else {}
    assert figures(rows, 0.9, Status(status)) == figures_so_far(rows, 0.9) | {"steps_to_target": steps} | final


def test_no_rows_tell_nothing():
    found = figures_so_far([], target=0.5)
    assert found.pop("epochs_done") == 0
    assert set(found.values()) == {None}


def test_epochs_without_an_evaluation_have_no_best():
    rows = [row | {"test_accuracy": None} for row in make_rows([0.2, 0.3])]
    found = figures_so_far(rows, target=0.1)
    assert (found["best_test_accuracy"], found["best_epoch"], found["steps_to_target"]) == (None, None, None)
    assert (found["epochs_done"], found["train_seconds"]) == (2, 1.0)


def test_a_runs_speed_has_its_digits_at_any_order_of_magnitude():
    for speed in (0.016667, 7.0312, 61234.5):
        rows = [row | {"images_per_second": speed} for row in make_rows([0.5, 0.6])]
        assert figures(rows, None, Status.COMPLETED)["images_per_second"] == speed
