"""Killed before any file operation at all, a command that is given again ends as if nothing had been.

The outputs folder is copied before each file operation of a command (see `copies.py`), and from every copy the same
command is started again: to the same bits, exit code 0, and with no more lost than since the latest checkpoint.
"""

import itertools
import os
import random
import re
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from forked import TABLES_HERE, run, start

from sweeper.runs.record import recorded_status
from tests.faults.copies import Copy, position, read_copies, recording
from tests.faults.test_kill import outcome, table

TRAINED = ("dataset=digits", "dataset.train_limit=300", "dataset.test_limit=100", "model=mlp", "model.width=16")
TRAINED += ("device=cpu", "checkpoint_every=1", "noise=symmetric", "noise.rate=0.2")
SINGLE = ("optimizer=adamw", "epochs=3", *TRAINED)
SWEEP = ("-m", "optimizer=sgd,lion", "epochs=2", "hydra/launcher=basic", *TRAINED)

# Asks the run to stop in the middle of its third epoch, as SIGTERM does.
STOP_IN_EPOCH_3 = """
import os, signal
from sweeper.engine.augment import EpochOrder
draw = EpochOrder.draw
def stop(self, seed, epoch):
    if epoch == 3:
        os.kill(os.getpid(), signal.SIGTERM)
    draw(self, seed, epoch)
EpochOrder.draw = stop
"""


@dataclass
class Case:
    """A command, recorded from where it began.

    Attributes:
        before: commands that made the folder in which it began, each with the code that is run before it.
    """

    command: tuple[str, ...]
    before: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


CASES = {
    "a fresh run": Case(SINGLE),
    "a resumed run": Case(SINGLE, [(SINGLE, STOP_IN_EPOCH_3)]),
    "a run trained again": Case((*SINGLE, "rerun=true"), [(SINGLE, "")]),
    "a failed run trained again": Case((*SINGLE, "rerun=true"), [(SINGLE, STOP_IN_EPOCH_3), (SINGLE, "fail")]),
    "a finished run": Case(SINGLE, [(SINGLE, "")]),
    "a sweep": Case(SWEEP),
    "a finished sweep": Case(SWEEP, [(SWEEP, "")]),
}

FAIL = """
from unittest.mock import patch
patch("sweeper.engine.training.build_model", side_effect=RuntimeError("of the test")).start()
"""


@dataclass
class Recorded:
    """What a case left: its copies, and in what it ends if it is let."""

    command: tuple[str, ...]
    copies: list[Copy]
    expected: dict[str, object]


@pytest.fixture(scope="module", params=CASES)
def recorded(request, tmp_path_factory) -> Recorded:
    case, folder = CASES[request.param], tmp_path_factory.mktemp("recorded")
    for command, patch in case.before:
        code, text = run("train", *command, cwd=folder, patch=TABLES_HERE + (FAIL if patch == "fail" else patch))
        assert code == {"": 0, "fail": 1}.get(patch, 143), text
    begun = None
    if case.before:
        begun = folder / "begun"
        shutil.copytree(folder / "outputs", begun)
    code, text = run("train", *case.command, cwd=folder, patch=TABLES_HERE + recording(folder / "copies"))
    assert code == 0, text
    shutil.copytree(folder / "outputs", folder / "copies" / "9999")
    return Recorded(case.command, list(read_copies(folder / "copies", begun)), results(folder / "outputs"))


def results(outputs: Path) -> dict[str, object]:
    """Without what was kept of earlier results."""
    return {path: content for path, content in outcome(outputs).items() if "/previous/" not in path}


def check(copy: Copy, recorded: Recorded, folder: Path) -> None:
    """Start the command from a copy."""
    shutil.copytree(copy.path, folder / "outputs", symlinks=True)
    logs = {path: path.stat().st_size for path in (folder / "outputs").glob("*/*/train.log")}
    earlier = kept_results(folder / "outputs")
    code, text = run("train", *recorded.command, cwd=folder, patch=TABLES_HERE)
    assert code == 0 and "Traceback" not in text, text
    assert results(folder / "outputs") == recorded.expected, text
    assert earlier <= kept_results(folder / "outputs"), "an earlier result is lost"
    again = "rerun=true" in recorded.command
    for directory in (folder / "outputs").glob("*/*-seed*"):
        name, log = directory.relative_to(folder / "outputs").as_posix(), directory / "train.log"
        said = log.read_bytes()[logs.get(log, 0) :].decode()
        found = re.search(r"going on from the checkpoint: epoch (\d+), step (\d+)", said)
        began = (int(found[1]), int(found[2])) if found else (1, 0)
        assert (directory / "metrics.csv").exists() and not list(directory.glob("checkpoint*.pt"))
        if name in copy.finished:
            assert again or not said, "a finished run was done again"
        elif not (again and recorded_status(copy.path / name) == "failed"):
            assert began >= copy.reached.get(name, (1, 0)), f"{began} after {copy.reached}: {said}"
    assert not [path for path in folder.rglob("previous/*") if not path.name.isdecimal()]


def kept_results(outputs: Path) -> set[bytes]:
    """The weights of all whole results, present and earlier."""
    return {path.read_bytes() for path in outputs.rglob("model.safetensors")}


def checked(recorded: Recorded, copies: list[Copy], folder: Path) -> None:
    for copy in copies:
        place = folder / copy.path.name
        place.mkdir()
        try:
            check(copy, recorded, place)
        except BaseException:
            print(f"from the copy {copy.path}, of {len(recorded.copies)}")
            raise
        shutil.rmtree(place)


@pytest.mark.slow
def test_from_a_few_copies_all_ends_alike(recorded, tmp_path):
    """The short form: three of them, the same each time."""
    few = random.Random(f"{recorded.command}").sample(recorded.copies, min(3, len(recorded.copies)))
    checked(recorded, few, tmp_path)


@pytest.mark.faults
def test_from_every_copy_all_ends_alike(recorded, tmp_path):
    checked(recorded, recorded.copies, tmp_path)
    print(f"{' '.join(recorded.command)}: {len(recorded.copies)} copies")


LONG = ("optimizer=sgd", "epochs=3000", "checkpoint_every=5", "dataset=digits", "model=mlp", "device=cpu")


def stop_again_and_again(folder: Path, times: int) -> list[tuple[int, int]]:
    """Stop a run by SIGTERM and by SIGKILL in turn, each time two epochs after it began or went on.

    Returns:
        From where it could go on after each stop.
    """
    reached = [(1, 0)]
    for k in range(times):
        before = {file: file.stat().st_mtime_ns for file in folder.glob("outputs/*/*/metrics.csv")}
        command = start("train", *LONG, cwd=folder, log=folder / f"log{k}")
        while not epochs_since(folder, before, reached[-1][0] + 1):
            assert command.wait(0.01) is None, command.text
        os.kill(command.pid, signal.SIGKILL if k % 2 else signal.SIGTERM)
        assert command.wait(60) == (-9 if k % 2 else 143), command.text
        found = re.search(r"going on from the checkpoint: epoch (\d+), step (\d+)", command.text)
        began = (int(found[1]), int(found[2])) if found else (1, 0)
        assert began == reached[-1], f"{began} after {reached}: {command.text}"
        (directory,) = folder.glob("outputs/*/*-seed*")
        reached.append(position(directory))
    return reached


def epochs_since(folder: Path, before: dict[Path, int], epoch: int) -> bool:
    """Whether `metrics.csv` was written since `before` and has this epoch."""
    for file in folder.glob("outputs/*/*/metrics.csv"):
        if file.stat().st_mtime_ns != before.get(file) and len(table(file)) >= epoch:
            return True
    return False


@pytest.mark.slow
def test_a_few_stops_in_turn_lose_nothing(tmp_path):
    check_progress(stop_again_and_again(tmp_path, 4))


@pytest.mark.faults
def test_forty_stops_in_turn_lose_nothing(tmp_path):
    began = time.monotonic()
    reached = stop_again_and_again(tmp_path, 40)
    check_progress(reached)
    print(f"{len(reached) - 1} stops in {time.monotonic() - began:.0f} s: at {reached[-1]}")


def check_progress(reached: list[tuple[int, int]]) -> None:
    assert reached == sorted(reached), "work was lost"
    for k, (before, after) in enumerate(itertools.pairwise(reached)):
        if k % 2 == 0:  # asked to stop, it keeps all
            assert after[0] >= before[0] + 2
