"""A run directory's files appear whole or not at all, can be moved, and are read back with suspicion."""

import json
import os
from pathlib import Path

import pytest
from made_runs import make_config, make_rows, make_run

from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import with_relative_paths
from sweeper.runs.record import Damaged, effective_status, find_finished, read_run
from sweeper.system import files
from sweeper.system.files import write_atomically


def test_a_file_that_can_not_be_written_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["run.json"]


def test_paths_are_stored_as_seen_from_the_run(tmp_path):
    config = make_config(dataset__root=str(tmp_path / "data"), noise__file="labels.csv", outputs=str(tmp_path / "out"))
    stored = with_relative_paths(config, tmp_path / "out" / "digits-cnn" / "sgd-seed1-00000000")
    assert (stored["dataset"]["root"], stored["outputs"]) == ("../../../data", "../..")
    assert (Path(tmp_path / "out" / "a" / "b") / stored["noise"]["file"]).resolve() == Path("labels.csv").resolve()
    assert config["outputs"] == str(tmp_path / "out"), "the caller's configuration is left alone"


def test_a_folder_of_runs_can_be_moved(tmp_path):
    directory = make_run(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there" / directory.relative_to(tmp_path / "here")
    assert find_finished(moved)["config"]["outputs"] == "../.."


@pytest.mark.parametrize(("status", "finished"), [("completed", True), ("diverged", True), ("failed", False)])
def test_completed_and_diverged_are_finished(tmp_path, status, finished):
    assert (find_finished(make_run(tmp_path, status)) is not None) == finished


def test_a_running_run_without_an_owner_is_interrupted(tmp_path):
    directory = make_run(tmp_path, "running")
    run = read_run(directory)
    assert effective_status(run, directory) == "interrupted"
    with RunDirectory(directory).lock():
        assert effective_status(run, directory) == "running"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not whole JSON"),
        (b'{"schema_version": 1, "sta', "not whole JSON"),
        (b"[1]", "not a run's record"),
        (b"[" * 100_000, "not whole JSON"),
        (b"\xff\xfe", "not whole JSON"),
        (json.dumps({"schema_version": 99}).encode(), "of schema 99, this sweeper reads up to 1; update sweeper"),
        (json.dumps({"schema_version": 1, "status": "completed"}).encode(), "not a run's record of schema 1"),
    ],
)
def test_a_damaged_record_is_told_in_one_line(tmp_path, content, words):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(Damaged, match=words) as damage:
        read_run(tmp_path)
    assert str(damage.value).startswith(f"{tmp_path}/run.json: ") and "\n" not in str(damage.value)


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


def test_files_that_belong_together_are_written_all_or_none(tmp_path, monkeypatch):
    old, new = ({tmp_path / name: content for name in ("results.csv", "summary.csv")} for content in (b"old", b"new"))
    files.write_together(old)
    fsync, written = os.fsync, []

    def full_at_the_second(descriptor: int) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(descriptor)
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full_at_the_second)
        with pytest.raises(OSError, match="No space left") as failure:
            files.write_together(new)
    assert failure.value.filename == str(tmp_path / "summary.csv")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old
    files.write_together(new)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == new
