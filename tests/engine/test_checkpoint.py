"""The latest checkpoint and the one before it: a run goes on from whichever is whole, to the same bits."""

import io
import itertools
import os
import shutil

import pytest
import torch

from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.system.files import with_checksum
from tests.engine.test_loop import configure, finish, start

LATEST, BEFORE = CHECKPOINT_FILES


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run killed in its fourth epoch, with what it ends in if it is let: its directory, metrics and weights."""
    config = configure("optimizer=adamw", "epochs=4", "checkpoint_every=1")
    folder = tmp_path_factory.mktemp("killed")
    whole = finish(config, folder / "whole")
    loop = start(config, folder / "run")
    steps = 3 * len(list(itertools.islice(start(config, folder / "count"), 10_000))) // 4
    for _ in itertools.islice(loop, steps + 1):
        pass
    loop.close()
    return config, folder / "run", whole, (folder / "whole" / "model.safetensors").read_bytes()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def of_another_version(path):
    buffer = io.BytesIO()
    torch.save({"version": 0}, buffer)
    path.write_bytes(with_checksum(buffer.getvalue()))


def test_two_checkpoints_are_kept_and_no_more(killed):
    _, directory, _, _ = killed
    run = RunDirectory(directory)
    assert [run.load_checkpoint(name)["epoch"] for name in CHECKPOINT_FILES] == [4, 3]
    assert {path.name for path in directory.iterdir()} == {"metrics.csv", *CHECKPOINT_FILES}


@pytest.mark.parametrize("damage", [cut, of_another_version, os.unlink])
@pytest.mark.parametrize(
    ("damaged", "epoch"), [((), 4), ((LATEST,), 3), ((BEFORE,), 4), ((LATEST, BEFORE), 1)], ids=str
)
def test_a_run_goes_on_from_the_latest_that_is_whole(killed, tmp_path, caplog, damaged, epoch, damage):
    config, directory, whole, weights = killed
    shutil.copytree(directory, tmp_path / "run")
    for name in damaged:
        damage(tmp_path / "run" / name)
    with caplog.at_level("INFO", "sweeper"):
        assert finish(config, tmp_path / "run") == whole
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == weights
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    seen = [name for name in damaged if name != BEFORE or epoch == 1] if damage != os.unlink else []
    end = "the run begins anew" if epoch == 1 else "the run goes on from the one before it"
    assert len(told) == len(seen)
    for line, name in zip(told, seen, strict=True):
        assert line.startswith(f"{tmp_path}/run/{name}: ") and line.endswith(f"; {end}")
    assert (f"{tmp_path}/run: going on from the checkpoint: epoch {epoch}, step 0" in caplog.text) == (epoch > 1)


def test_a_damaged_checkpoint_never_takes_the_place_of_a_whole_one(killed, tmp_path):
    config, directory, _, _ = killed
    shutil.copytree(directory, tmp_path / "run")
    cut(tmp_path / "run" / LATEST)
    for _ in start(config, tmp_path / "run"):
        if (tmp_path / "run" / LATEST).exists():
            break
    run = RunDirectory(tmp_path / "run")
    assert [run.load_checkpoint(name)["epoch"] for name in CHECKPOINT_FILES] == [4, 3]


def test_a_writer_killed_between_its_two_renamings_leaves_a_whole_one(tmp_path, monkeypatch):
    run = RunDirectory(tmp_path)
    run.write_checkpoint({"epoch": 1})
    replace = os.replace

    def killed_at_the_second(source, target):
        if os.path.basename(target) == LATEST:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            run.write_checkpoint({"epoch": 2})
    assert run.load_checkpoint(LATEST) is None and run.load_checkpoint(BEFORE) == {"epoch": 1}
    run.write_checkpoint({"epoch": 3})
    assert [run.load_checkpoint(name) for name in CHECKPOINT_FILES] == [{"epoch": 3}, {"epoch": 1}]


def test_nothing_is_removed_but_what_is_named(tmp_path):
    run = RunDirectory(tmp_path)
    for epoch in (1, 2, 3):
        run.write_checkpoint({"epoch": epoch})
    run.remove_checkpoints()
    assert {path.name for path in tmp_path.iterdir()} == set(CHECKPOINT_FILES)
    run.remove_checkpoints(BEFORE)
    assert [path.name for path in tmp_path.iterdir()] == [LATEST]
    run.remove_checkpoints(*CHECKPOINT_FILES)
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_keeps_its_checkpoints_until_it_is_finished(killed, tmp_path):
    config, directory, _, _ = killed
    shutil.copytree(directory, tmp_path / "run")
    before = {name: (directory / name).read_bytes() for name in CHECKPOINT_FILES}
    loop = start(config, tmp_path / "run")
    next(loop)
    assert {name: (tmp_path / "run" / name).read_bytes() for name in CHECKPOINT_FILES} == before


def rewrite(path, change):
    """Put another content into a checkpoint, which is whole again."""
    state = RunDirectory(path.parent).load_checkpoint(path.name)
    change(state)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(with_checksum(buffer.getvalue()))


def test_a_checkpoint_that_does_not_tell_its_run_is_believed(killed, tmp_path, caplog):
    """As those of earlier versions."""
    config, directory, whole, _ = killed
    shutil.copytree(directory, tmp_path / "run")
    rewrite(tmp_path / "run" / LATEST, lambda state: state.pop("run"))
    with caplog.at_level("INFO", "sweeper"):
        assert finish(config, tmp_path / "run") == whole
    assert "going on from the checkpoint: epoch 4, step 0" in caplog.text


def lose_an_option(state):
    """Found only as the optimizer, whose model has been loaded by then, is to take its state."""
    state["optimizer"]["param_groups"][0].pop("betas")


@pytest.mark.parametrize("both", [False, True], ids=["the latest", "both"])
def test_a_whole_checkpoint_of_senseless_content_is_kept_aside(killed, tmp_path, caplog, both):
    """Each kind of such content: `test_checkpoint_form.py`."""
    config, directory, whole, weights = killed
    shutil.copytree(directory, tmp_path / "run")
    if both:
        shutil.copy(directory / LATEST, tmp_path / "run" / BEFORE)
    names = CHECKPOINT_FILES[: 1 + both]
    for name in names:
        rewrite(tmp_path / "run" / name, lose_an_option)
    refused = {name: (tmp_path / "run" / name).read_bytes() for name in names}
    with caplog.at_level("INFO", "sweeper"):
        assert finish(config, tmp_path / "run") == whole
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == weights
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    kept = tmp_path / "run" / "previous" / "1"
    assert len(lines) == len(refused) and all(f"; it is kept in {kept}; the run " in line for line in lines)
    assert {name: (kept / name).read_bytes() for name in refused} == refused
    assert ("going on from the checkpoint: epoch 3, step 0" in caplog.text) != both


@pytest.mark.parametrize(
    "failure",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 768000000000 bytes."),
        RuntimeError("CUDA error: unspecified launch failure"),
    ],
    ids=["no memory beside others", "no memory", "a lost GPU"],
)
def test_a_checkpoint_has_no_part_in_what_the_device_lacks(killed, tmp_path, monkeypatch, failure):
    """It stays where it is, and the run goes on from it when there is memory again, or in another process."""
    config, directory, whole, _ = killed
    shutil.copytree(directory, tmp_path / "run")

    def fail(part, state, back=False):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr("sweeper.engine.checkpoint.load_part", fail)
        with pytest.raises(type(failure)):
            finish(config, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"metrics.csv", *CHECKPOINT_FILES}
    assert finish(config, tmp_path / "run") == whole
