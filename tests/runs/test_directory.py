"""A run directory's files appear whole or not at all, can be moved, and are read back with suspicion."""

import csv
import errno
import os
import time
from pathlib import Path

import pytest
from made_runs import make_rows, make_run

from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import Damaged, find_finished
from sweeper.system import files


def test_a_folder_of_runs_can_be_moved(tmp_path):
    directory = make_run(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there" / directory.relative_to(tmp_path / "here")
    assert find_finished(moved)["config"]["outputs"] == "../.."


def test_an_earlier_result_is_set_aside_and_numbered(tmp_path):
    run = RunDirectory(tmp_path / "run")
    for accuracy in (0.1, 0.2, 0.3):
        run.set_aside()
        run.write_metrics(make_rows([accuracy]))
    kept = [run.path / "previous" / k / "metrics.csv" for k in "12"]
    assert ["0.1" in kept[0].read_text(), "0.2" in kept[1].read_text()] == [True, True]
    assert "0.3" in (run.path / "metrics.csv").read_text()


def test_a_run_that_never_began_leaves_nothing(tmp_path):
    run = RunDirectory(tmp_path / "digits-cnn" / "sgd-seed1-00000000")
    (run.path / ".hydra").mkdir(parents=True)
    run.remove_if_never_begun()
    assert list(tmp_path.iterdir()) == []
    (run.path / ".hydra").mkdir(parents=True)
    run.write_metrics([])
    run.remove_if_never_begun()
    assert (run.path / ".hydra").is_dir()


def test_a_checkpoint_that_is_not_whole_is_refused(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.load_checkpoint() is None
    run.write_checkpoint({"epoch": 3})
    assert run.load_checkpoint() == {"epoch": 3}
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(Damaged, match="not a whole checkpoint"):
        run.load_checkpoint()


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 768000000000 bytes."),
    ],
    ids=lambda failure: str(failure)[:40] or "MemoryError",
)
@pytest.mark.parametrize("where", ["sweeper.system.files.read_without_checksum", "torch.load"])
def test_a_checkpoint_that_cannot_be_read_now_is_not_called_damaged(tmp_path, monkeypatch, failure, where):
    """A damaged one is moved away, and what it held is trained again."""
    run = RunDirectory(tmp_path)
    run.write_checkpoint({"epoch": 3})

    def fail(*arguments, **options):
        raise failure

    monkeypatch.setattr(where, fail)
    with pytest.raises(type(failure)):
        run.load_checkpoint()


def test_a_checkpoint_that_is_removed_while_it_is_looked_for_is_none(tmp_path, monkeypatch):
    run = RunDirectory(tmp_path)
    run.write_checkpoint({"epoch": 3})
    is_file = Path.is_file

    def seen_and_removed(path):
        found = is_file(path)
        path.unlink()
        return found

    monkeypatch.setattr(Path, "is_file", seen_and_removed)
    assert run.load_checkpoint() is None


def test_a_checkpoint_runs_no_code(tmp_path):
    """A pickle that would call something is refused, not obeyed."""
    import torch

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "hacked"),)

    torch.save({"state": Evil()}, tmp_path / "checkpoint.pt")
    with pytest.raises(Damaged):
        RunDirectory(tmp_path).load_checkpoint()
    assert not (tmp_path / "hacked").exists()


def test_tied_weights_can_be_written(tmp_path):
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    RunDirectory(tmp_path).write_weights(model)
    assert (tmp_path / "model.safetensors").is_file()


def test_metrics_that_were_skipped_are_made_up_for(tmp_path):
    run = RunDirectory(tmp_path)

    def written() -> int:
        return len((tmp_path / "metrics.csv").read_text().splitlines()) - 1

    rows = make_rows([0.1, 0.2, 0.3])
    for count in (1, 2):
        run.write_metrics(rows[:count], every=60.0)
    assert written() == 1
    run.complete_metrics(rows[:2])
    assert written() == 2
    run.write_metrics(rows)
    assert written() == 3
    (tmp_path / "metrics.csv").unlink()
    run.complete_metrics(rows)
    assert not (tmp_path / "metrics.csv").exists(), "nothing was missing"


def test_each_row_of_metrics_is_made_text_once(tmp_path, monkeypatch):
    """Of a run of thousands of short epochs the rows of all epochs were, after each."""
    written = []
    rows_as_text = csv.DictWriter.writerows
    monkeypatch.setattr(
        csv.DictWriter, "writerows", lambda writer, rows: written.append(len(rows)) or rows_as_text(writer, rows)
    )
    run, rows = RunDirectory(tmp_path / "grown"), make_rows([0.1, 0.2, 0.3, 0.4])
    for count in (0, 1, 2, 4):
        run.write_metrics(rows[:count])
    assert written == [0, 1, 1, 2]
    for changed in ([*make_rows([0.9]), *rows[1:]], rows[:2], rows):  # as after a checkpoint is read
        run.write_metrics(changed)
        RunDirectory(tmp_path / "anew").write_metrics(changed)
        grown, anew = ((tmp_path / name / "metrics.csv").read_bytes() for name in ("grown", "anew"))
        assert grown == anew and len(grown.splitlines()) == len(changed) + 1


def test_a_slow_disk_is_not_waited_for_after_each_short_epoch(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    write = files.write_atomically

    def slowly(*arguments, **options):
        clock[0] += 0.1
        write(*arguments, **options)

    monkeypatch.setattr(files, "write_atomically", slowly)
    run, rows = RunDirectory(tmp_path), make_rows([0.5] * 1000)
    for count in range(1, 1001):
        clock[0] += 0.01
        run.write_metrics(rows[:count], every=0.0)
    assert clock[0] < 10.4, "1,000 epochs of 10 ms, and at most 2 % for writing, but for the first times"
    run.complete_metrics(rows)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 1001
