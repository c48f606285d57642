"""A finished run of which a file isn't its own is reported, by tables, the page, `train` and `load_model`."""

import shutil
import time
from pathlib import Path

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate import command as aggregate
from sweeper.report.command import report
from sweeper.report.curves import read_curve
from sweeper.runs.agreement import describe_files, disagreement, weights_disagreement
from sweeper.runs.record import find_finished, read_run
from sweeper.runs.rows import read_row


def write(name: str, change):
    def damage(directory: Path) -> None:
        file = directory / name
        file.write_bytes(change(file.read_bytes()))

    return damage


def swap(directory: Path) -> None:
    """The metrics of a run of as many epochs."""
    other = make_run(directory.parents[1] / "elsewhere", seed=2, accuracy=0.8)
    shutil.copy(other / "metrics.csv", directory / "metrics.csv")


# Found without their hash too, in records of earlier versions.
PLAIN = {
    "emptied": (write("metrics.csv", lambda content: b""), "metrics.csv is empty"),
    "cut": (write("metrics.csv", lambda content: content[:-9]), "metrics.csv is cut off after 2 of 3 epochs"),
    "an epoch less": (
        write("metrics.csv", lambda content: content[: content.rindex(b"\n", 0, -1) + 1]),
        "metrics.csv has 2 epochs, the run 3",
    ),
    "swapped": (swap, "metrics.csv is of another run: its last test_accuracy is 0.8, this run's 0.9"),
    "another program's": (
        write("metrics.csv", lambda content: b"a,b\n1,2\n"),
        "metrics.csv has another first line than the names of the metrics",
    ),
    "a last row of zeros": (
        write("metrics.csv", lambda content: content[: content.rindex(b"\n", 0, -1)] + b"\n\0\0\0\n"),
        "metrics.csv has a last row that isn't one of metrics",
    ),
    "a folder": (
        lambda directory: ((directory / "metrics.csv").unlink(), (directory / "metrics.csv").mkdir()),
        "metrics.csv can't be read: ",
    ),
}
BY_HASH = {
    "removed": (lambda directory: (directory / "metrics.csv").unlink(), "metrics.csv is missing"),
    "a digit changed": (
        write("metrics.csv", lambda content: content.replace(b"0.91", b"0.92")),
        "metrics.csv isn't the file that the run wrote",
    ),
    "weights cut": (
        write("model.safetensors", lambda content: content[:-1]),
        "model.safetensors has 99 bytes, the run wrote 100",
    ),
}


def make_finished(outputs: Path, named: bool = True) -> Path:
    directory = make_run(outputs)
    if named:
        (directory / "model.safetensors").write_bytes(bytes(100))
        change_record(directory, files=describe_files(directory))
    return directory


@pytest.mark.parametrize("named", [True, False])
def test_a_whole_run_agrees(tmp_path, named):
    directory = make_finished(tmp_path, named)
    assert disagreement(directory, read_run(directory)) is None
    assert read_row(str(directory), "a").values["error"] is None


@pytest.mark.parametrize(
    ("kind", "named"), [(kind, named) for kind in PLAIN for named in (True, False)] + [(kind, True) for kind in BY_HASH]
)
def test_a_file_that_is_not_the_runs_is_named_in_the_row(tmp_path, kind, named):
    directory = make_finished(tmp_path, named)
    damage, reason = (PLAIN | BY_HASH)[kind]
    damage(directory)
    row = read_row(str(directory), "a")
    assert row.values["status"] == "completed" and row.values["final_test_accuracy"] == 0.9
    assert row.values["error"].startswith(reason)
    assert (read_curve(row) == {}) == ("metrics" in reason)
    assert find_finished(directory) is not None


@pytest.mark.parametrize("damage", [BY_HASH["a digit changed"][0], BY_HASH["weights cut"][0]])
def test_table_and_page_report_it(tmp_path, capsys, damage):
    directory = make_finished(tmp_path)
    damage(directory)
    error = read_row(str(directory), "a").values["error"]
    assert aggregate.main([str(tmp_path)]) == 0
    told = f"{error}; its result counts; put the run's own file back, or train it again by rerun=true"
    assert f"\ncompleted: {directory.parent.name}/{directory.name}: {told}\n" in capsys.readouterr().out
    assert error in (tmp_path / "results.csv").read_text().replace('"', "")
    (page,) = report([str(tmp_path)])
    assert error.partition("'")[2] in page.read_text()


def test_changed_weights_of_the_same_size_are_found_by_reading_them(tmp_path):
    directory = make_finished(tmp_path)
    write("model.safetensors", lambda content: b"x" + content[1:])(directory)
    run = read_run(directory)
    assert weights_disagreement(directory, run) is None
    assert weights_disagreement(directory, run, whole=True) == "model.safetensors isn't the file that the run wrote"
    (directory / "model.safetensors").unlink()
    assert weights_disagreement(directory, run) == "model.safetensors is missing"
    assert disagreement(directory, run) is None  # a table needs none


@pytest.mark.parametrize("files", [7, [], {"metrics.csv": 7}, {"metrics.csv": {"bytes": True, "sha256": 5}}])
def test_what_a_record_says_in_another_form_counts_as_nothing(tmp_path, files):
    directory = make_run(tmp_path)
    change_record(directory, files=files)
    assert disagreement(directory, read_run(directory)) is None


def test_thousands_of_runs_are_compared_in_a_second(tmp_path):
    directory = make_finished(tmp_path)
    run = read_run(directory)
    began = time.process_time()
    for _ in range(300):
        disagreement(directory, run)
    assert time.process_time() - began < 0.3


def test_a_record_leaves_no_file_out_because_it_can_not_be_read(tmp_path, monkeypatch):
    """Else no later change of it would be seen; the run goes on from its checkpoint once it can be read."""
    run = make_run(tmp_path)
    (run / "model.safetensors").mkdir()
    assert describe_files(run).keys() == {"metrics.csv"}

    def broken(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("sweeper.runs.agreement.sha256", broken)
    with pytest.raises(OSError, match="Input/output error"):
        describe_files(run)
