"""Whatever became of a file, every command takes the run up again or says in a line what is wrong, and never trips.

A sweep of two runs, one completed and one killed in its middle, is copied, one file is damaged, and the same sweep,
`aggregate` and `report` are run as a user would (as forks, see `forked.py`).
"""

import contextlib
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import run, start
from test_kill import SEED, outcome, table

import sweeper
from sweeper.errors import BadInput

SWEEP = ("-m", "optimizer=sgd,lion", "noise=symmetric", "noise.rate=0.2", "dataset=digits", "dataset.train_limit=300")
SWEEP += ("dataset.test_limit=100", "model=mlp", "model.width=16", "epochs=6", "device=cpu", "device.threads=1")
SWEEP += ("checkpoint_every=1", "hydra/launcher=basic")

# Holds the run still in its fourth epoch, until it is killed there.
STOP_IN_EPOCH_4 = """
import time
from sweeper.augment import EpochOrder
draw = EpochOrder.draw
EpochOrder.draw = lambda self, seed, epoch: time.sleep(600) if epoch == 4 else draw(self, seed, epoch)
"""

# A lock with a byte flipped may name an owner on another machine, which is watched for a minute.
IMPATIENT = """
from sweeper import lock
lock.HEARTBEAT, lock.PATIENCE = 0.2, 1.0
"""

OF_A_RUN = ("run.json", "metrics.csv", "checkpoint.pt", "checkpoint.previous.pt", "corrupted_labels.csv", "run.lock")
OF_A_RUN += ("model.safetensors", "train.log", ".hydra/config.yaml")
OF_THE_FOLDER = ("results.csv", "summary.csv", "report.html", "multirun.yaml")


def truncate(path: Path, numbers: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: numbers.randrange(max(1, len(content)))])


def flip_bytes(path: Path, numbers: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(numbers.choice((1, 8))):
        content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    path.write_bytes(content)


def in_its_place(make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    def replace(path: Path, numbers: random.Random) -> None:
        path.unlink()
        make(path)

    return replace


def make_directory(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("something of somebody's")


def somebodys_file(path: Path) -> Path:
    """A file outside of the outputs folder, which nobody may write to through a link."""
    while path.name != "outputs":
        path = path.parent
    file = path.with_name("somebody's")
    file.write_text(SOMEBODYS)
    return file


SOMEBODYS = "a line of somebody's\n"

KINDS: dict[str, Callable[[Path, random.Random], None]] = {
    "truncated": truncate,
    "flipped": flip_bytes,
    "emptied": in_its_place(Path.touch),
    "removed": in_its_place(lambda path: None),
    "a picture": in_its_place(lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)),
    "other JSON": in_its_place(lambda path: path.write_text('{"schema_version": 1, "owner": ["x"], "pid": "1"}')),
    "a dangling link": in_its_place(lambda path: path.symlink_to("gone")),
    "a link to itself": in_its_place(lambda path: path.symlink_to(path.name)),
    "a link elsewhere": in_its_place(lambda path: path.symlink_to(somebodys_file(path))),
    "a directory": in_its_place(make_directory),
    "a pipe": in_its_place(os.mkfifo),
}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untouched")
    code, text = run("train", *SWEEP, cwd=folder)
    assert code == 0, text
    return outcome(folder / "outputs")


@pytest.fixture(scope="module")
def half_done(tmp_path_factory):
    """The outputs of the sweep when sgd is completed and lion was killed in its fourth epoch; with tables and page."""
    folder = tmp_path_factory.mktemp("half")
    lion = [word.replace("sgd,", "") for word in SWEEP]
    for module, arguments in (("train", [w.replace(",lion", "") for w in SWEEP]), ("report", ["outputs"])):
        code, text = run(module, *arguments, cwd=folder)
        assert code == 0, text
    command = start("train", *lion, cwd=folder, log=folder / "log", patch=STOP_IN_EPOCH_4)
    while len(command.text) < 10_000 and not any(len(table(p)) == 3 for p in folder.rglob("lion*/metrics.csv")):
        assert command.wait(0.02) is None, command.text
    while not list(folder.rglob("lion*/checkpoint.pt")):
        time.sleep(0.02)
    time.sleep(0.1)  # its third checkpoint
    command.kill()
    command.wait()
    return folder / "outputs"


def damage(half_done: Path, folder: Path, name: str, kind: str, numbers: random.Random) -> tuple[int, list[str]]:
    """Copy the sweep, damage one file in it, and run all commands. Returns the code of `train` and what all said."""
    shutil.copytree(half_done, folder / "outputs", symlinks=True)
    files = [folder / "outputs" / name] if name in OF_THE_FOLDER else sorted((folder / "outputs").glob(f"*/*/{name}"))
    KINDS[kind](numbers.choice(files), numbers)
    said = []
    for module, arguments in (("aggregate", ()), ("report", ()), ("train", SWEEP)):
        code, text = run(module, *arguments, cwd=folder, seconds=60, patch=IMPATIENT)
        assert "Traceback" not in text and "Logging error" not in text, text
        assert code in (0, 1, 2), (code, text)
        assert code == 0 or [k for k in text.splitlines() if k.startswith("error: ") or ": failed: " in k], text
        said.append(text)
    for file in folder.glob("somebody's"):
        assert file.read_text() == SOMEBODYS
    for directory in (folder / "outputs").glob("*/*/"):
        with contextlib.suppress(BadInput):
            sweeper.load_model(directory)
    return code, said


def check(half_done: Path, untouched, folder: Path, name: str, kind: str, numbers: random.Random) -> None:
    code, said = damage(half_done, folder, name, kind, numbers)
    if code != 0:
        assert kind == "a directory", said  # in whose place nothing can be written before it is taken away
        return
    # A finished run's own file may stay as it is; its record is what tells of it.
    left_out = name if name in OF_A_RUN or kind == "a directory" else ""
    assert outcome(folder / "outputs", left_out) == {k: v for k, v in untouched.items() if Path(k).name != left_out}, (
        said
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("run.json", "a pipe"),
        ("checkpoint.pt", "flipped"),
        ("run.lock", "a link to itself"),
        ("train.log", "a directory"),
    ],
)
def test_a_few_damaged_files_trip_nobody(tmp_path, half_done, untouched, name, kind):
    """The short form."""
    check(half_done, untouched, tmp_path, name, kind, random.Random(f"{SEED} {name} {kind}"))


TIMES = {"truncated": 50, "flipped": 10}


@pytest.mark.faults
@pytest.mark.parametrize("name", (*OF_A_RUN, *OF_THE_FOLDER))
def test_damaged_files_trip_nobody(tmp_path, half_done, untouched, name):
    """The long form: each file truncated at 50 places, with bytes flipped 10 times, and replaced by all else."""
    tried = 0
    for kind in KINDS:
        for k in range(TIMES.get(kind, 1)):
            folder = tmp_path / f"{kind} {k}"
            folder.mkdir()
            check(half_done, untouched, folder, name, kind, random.Random(f"{SEED} {name} {kind} {k}"))
            shutil.rmtree(folder)
            tried += 1
    print(f"{name}: {tried} damaged, seed {SEED}: none ended in a traceback")
