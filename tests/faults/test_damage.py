"""Whatever became of a file, every command takes the run up again or says in a line what is wrong, and never trips.

A sweep of eight runs, four completed and four killed in their middle, is copied, in each of its runs one file is
damaged, and `aggregate`, `report`, `watch --once` and the same sweep are run one after the other (in a fork, see
`forked.py`).
"""

import contextlib
import copy
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import run, start

import sweeper
from sweeper.system.errors import BadInput
from tests.faults.test_kill import SEED, SIZE, outcome

SWEEP = (
    "-m",
    "optimizer=sgd,lion",
    "seed=1,2,3,4",
    "noise=symmetric",
    "noise.rate=0.2",
    "dataset=digits",
    "dataset.train_limit=300",
)
SWEEP += ("dataset.test_limit=100", "model=mlp", "model.width=16", "epochs=6", "device=cpu", "device.threads=1")
SWEEP += ("checkpoint_every=1", "hydra/launcher=basic")

# Holds the run still in its fourth epoch, until it is killed there.
STOP_IN_EPOCH_4 = """
import time
from sweeper.engine.augment import EpochOrder
draw = EpochOrder.draw
def stop(self, seed, epoch):
    if epoch == 4:
        print("in the fourth epoch", flush=True)
        time.sleep(600)
    draw(self, seed, epoch)
EpochOrder.draw = stop
"""

# A lock with a byte flipped may name an owner on another machine, which is watched for a minute.
IMPATIENT = """
from sweeper.system import lock
lock.HEARTBEAT, lock.PATIENCE = 0.2, 1.0
"""

# The three that read, before the sweep, and at its end without Python's start, which takes seconds.
READ = """
import importlib
from unittest.mock import patch
def call(room, *arguments):
    code = importlib.import_module(f"sweeper.{room}.command").main(arguments)
    print(f"exit code {code} of sweeper.{room}", flush=True)
    return code
for room, arguments in (("aggregate", ()), ("report", ()), ("watch", ("--once",))):
    call(room, *arguments)
tables = lambda outputs, own: call("aggregate", outputs) == call("report", outputs) == 0
patch("sweeper.train.sweep.update_tables", tables).start()
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
    for module, arguments in (("train", [w.replace(",lion", "") for w in SWEEP]), ("report", ["outputs"])):
        code, text = run(module, *arguments, cwd=folder)
        assert code == 0, text
    for seed in (1, 2, 3, 4):
        lion = [word.replace("sgd,", "").replace("1,2,3,4", str(seed)) for word in SWEEP]
        command = start("train", *lion, cwd=folder, log=folder / f"log{seed}", patch=STOP_IN_EPOCH_4)
        while not command.text.endswith("in the fourth epoch\n"):
            assert command.wait(0.02) is None, command.text
        command.kill()
        command.wait()
    return folder / "outputs"


def damage(half_done: Path, folder: Path, name: str, kind: str, numbers: random.Random) -> tuple[int, int, str]:
    """Copy the sweep, damage this file in each run, and run all commands.

    None ends in a traceback, and each that doesn't end well says so in a line.

    Returns:
        How many files were damaged, the code of `train`, and what all said.
    """
    shutil.copytree(half_done, folder / "outputs", symlinks=True)
    files = [folder / "outputs" / name] if name in OF_THE_FOLDER else sorted((folder / "outputs").glob(f"*/*/{name}"))
    for file in files:
        KINDS[kind](file, numbers)
    code, text = run("train", *SWEEP, cwd=folder, seconds=60, patch=IMPATIENT + READ)
    assert "Traceback" not in text and "Logging error" not in text, text
    parts = re.split(r"exit code (\d+) of sweeper\.(\w+)\n", f"{text}exit code {code} of sweeper.train\n")
    said = list(zip(parts[2::3], map(int, parts[1::3]), parts[0::3], strict=False))
    assert [module for module, _, _ in said[:3]] == ["aggregate", "report", "watch"] and said[-1][0] == "train", text
    for module, ended, words in said:
        assert ended in (0, 2) or (ended, module) == (1, "train"), text
        whole = text if module == "train" else words
        assert ended == 0 or re.search("^error: .|: failed: .", whole, re.MULTILINE), text
    for file in folder.glob("somebody's"):
        assert file.read_text() == SOMEBODYS
    for directory in (folder / "outputs").glob("*/*/"):
        with contextlib.suppress(BadInput):
            sweeper.load_model(directory)
    return len(files), code, text


def check(half_done: Path, untouched, folder: Path, name: str, kind: str, numbers: random.Random) -> int:
    """Returns how many files were damaged."""
    tried, code, text = damage(half_done, folder, name, kind, numbers)
    if code != 0:
        assert kind == "a directory", text  # in whose place nothing can be written before it is taken away
        return tried
    # A finished run's own file may stay as it is; its record is what tells of it, and is believed if it is in form.
    if (name, kind) == ("run.json", "flipped"):
        untouched = {path: content for path, content in untouched.items() if path not in OF_THE_FOLDER}
        for path in ("results.csv", "summary.csv"):
            (folder / "outputs" / path).unlink()
    left_out = name if name in OF_A_RUN or kind == "a directory" else ""
    expected = copy.deepcopy({path: content for path, content in untouched.items() if Path(path).name != left_out})
    now = outcome(folder / "outputs", left_out)
    kept = {path: now.pop(path) for path in list(now) if "/previous/1/" in path}
    if name in (
        "metrics.csv",
        "model.safetensors",
    ):  # a finished run's stays as it is, which `error` tells
        for row in (*now["results.csv"], *expected["results.csv"]):
            row.pop("error", None)
    assert now == expected, text
    # What a finished run had when its record was lost.
    assert name == "run.json" or not kept, text
    assert all(expected[path.replace("/previous/1/", "/")] == content for path, content in kept.items()), text
    return tried


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("run.json", "a pipe"),
        ("checkpoint.pt", "flipped"),
        ("run.lock", "a link to itself"),
        ("train.log", "a directory"),
        (".hydra/config.yaml", "a pipe"),
    ],
)
def test_a_few_damaged_files_trip_nobody(tmp_path, half_done, untouched, name, kind):
    """The short form."""
    check(half_done, untouched, tmp_path, name, kind, random.Random(f"{SEED} {name} {kind}"))


TIMES = {"truncated": round(50 * SIZE), "flipped": round(10 * SIZE)}


@pytest.mark.faults
@pytest.mark.parametrize("name", (*OF_A_RUN, *OF_THE_FOLDER))
def test_damaged_files_trip_nobody(tmp_path, half_done, untouched, name):
    """The long form: each file of a run cut off at 50 places, with bytes flipped 10 times, and replaced by all else."""
    tried = dict.fromkeys(KINDS, 0)
    for kind in KINDS:
        while tried[kind] < (TIMES.get(kind, 1) if name in OF_A_RUN else 1):
            folder = tmp_path / f"{kind} {tried[kind]}"
            folder.mkdir()
            numbers = random.Random(f"{SEED} {name} {kind} {tried[kind]}")
            tried[kind] += check(half_done, untouched, folder, name, kind, numbers)
            shutil.rmtree(folder)
    print(f"{name}: {sum(tried.values())} damaged, {tried['truncated']} of them cut off, seed {SEED}: no traceback")
