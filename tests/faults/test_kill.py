"""Killed anywhere, again and again, a sweep ends as one that was never touched: nothing lost and nothing done twice.

The processes are forks of one that has imported torch (see `forked.py`), so kills fall into our work and not into
Python's start. Models are tiny and write a checkpoint each epoch, so a kill falls as often into writing as it can.
"""

import csv
import json
import os
import random
import time
from pathlib import Path

import pytest
from forked import Command, run, start

from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import METRICS

SEED = int(os.environ.get("FAULTS_SEED", "20250131"))
SIZE = float(os.environ.get("FAULTS_SIZE", "1"))  # of the long forms, e.g. 0.1 for a tenth of all kills and damages

TRAINED = ("dataset=digits", "dataset.train_limit=300", "dataset.test_limit=100", "model=mlp", "model.width=16")
TRAINED += ("epochs=30", "device=cpu", "device.threads=1", "checkpoint_every=1")
SWEEP = ("-m", "optimizer=sgd,lion", "noise=symmetric", "noise.rate=0.2", *TRAINED)
SINGLE = ("optimizer=sgd", "noise=symmetric", "noise.rate=0.2", *TRAINED)

# What a clock, the machine's memory or its neighbours say.
NOT_COMPARED = {"train_seconds", "images_per_second", "peak_memory_bytes", "shared_device"}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k not in NOT_COMPARED} for row in csv.DictReader(file)]


def outcome(outputs: Path, without: str = "") -> dict[str, object]:
    """All that must be the same: of each run its metrics and, to the bit, its weights and labels; and the tables.

    Files of the name `without` are left out.
    """
    files = [path for path in sorted(outputs.rglob("*.*")) if path.name != without]
    told: dict[str, object] = {str(p.relative_to(outputs)): table(p) for p in files if p.suffix == ".csv"}
    return told | {str(p.relative_to(outputs)): p.read_bytes() for p in files if p.suffix == ".safetensors"}


def check_whole(outputs: Path) -> dict[Path, int]:
    """Every file under its own name is whole. Returns the finished runs' records with the time of their writing."""
    finished = {}
    for path in outputs.glob("*/*/run.json"):
        if json.loads(path.read_text())["status"] == "completed":
            finished[path] = path.stat().st_mtime_ns
            assert len(table(path.with_name("metrics.csv"))) == 30
    for path in outputs.glob("*/*/metrics.csv"):
        text = path.read_text()
        assert text.endswith("\n") and {line.count(",") for line in text.splitlines()} == {len(METRICS) - 1}
    for path in outputs.glob("*/*/checkpoint*.pt"):
        assert RunDirectory(path.parent).load_checkpoint(path.name) is not None
    return finished


def check_clean(outputs: Path) -> None:
    """Nothing is left of those that were killed: no lock, no checkpoint, no temporary file, no sweep's own file."""
    left = [path for path in outputs.rglob(".*") if path.name != ".hydra"]
    left += [*outputs.rglob("run.lock"), *outputs.rglob("checkpoint*.pt")]
    assert left == []


class Killer:
    """Starts the same command and kills it, until it comes to its end; in a new folder after each time it did.

    `lines` tells each kill, so that a failure can be followed.
    """

    def __init__(self, folder: Path, arguments: tuple[str, ...], seconds: float, expected: dict[str, object]) -> None:
        self.folder, self.arguments, self.seconds, self.expected = folder, arguments, seconds, expected
        self.numbers = random.Random(f"{SEED} {arguments}")
        self.kills = self.rounds = 0
        self.lines: list[str] = []

    def kill(self, times: int) -> None:
        while self.kills < times:
            self._round(times)

    def _round(self, times: int) -> None:
        self.rounds += 1
        outputs = self.folder / f"round{self.rounds}"
        log = self.folder / f"round{self.rounds}.log"
        finished: dict[Path, int] = {}
        while True:
            command = start("train", *self.arguments, f"outputs={outputs.name}", cwd=self.folder, log=log)
            survived = self.kills >= times or not self._kill(command)
            code = command.wait(120)
            now = check_whole(outputs)
            assert {path: now[path] for path in finished} == finished, "a finished run was done again"
            finished = now
            if survived:
                assert code == 0, command.text
                break
            self.kills += 1
        assert "Traceback" not in command.text, command.text
        for path in outputs.glob("*/*/train.log"):
            assert "not a whole checkpoint" not in path.read_text(), "a checkpoint was lost"
        assert outcome(outputs) == self.expected
        for path in outputs.glob(".*"):  # what is younger than an hour may be another command's
            os.utime(path, (0, 0))
        run("train", *self.arguments, f"outputs={outputs.name}", cwd=self.folder)  # answers, and tidies up
        check_clean(outputs)

    def _kill(self, command: Command) -> bool:
        """One kill at a random moment, of all the command's processes or of one. False if it had ended before."""
        delay = self.numbers.uniform(0, self.seconds)
        if command.wait(delay) is not None:
            return False
        processes = command.processes()
        one = self.numbers.random() < 0.3
        victim = self.numbers.choice(processes) if one and processes else None
        self.lines.append(f"round {self.rounds}, after {delay:.3f} s: {victim or 'all'} of {len(processes)}")
        command.kill(victim)
        if victim is not None:
            command.wait(60)  # it ends with an error of its own, or, where the victim was not needed any more, well
            command.kill()
        return True


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """Folder, outcome and seconds of the sweep and of the single run when nobody disturbs them."""
    folder = tmp_path_factory.mktemp("untouched")
    assert run("train", *SINGLE, "outputs=warm", cwd=folder)[0] == 0
    told = {}
    for arguments in (SWEEP, SINGLE):
        outputs = folder / f"{len(arguments)}"
        began = time.monotonic()
        launcher = ("hydra/launcher=basic",) if "-m" in arguments else ()
        code, text = run("train", *arguments, *launcher, f"outputs={outputs.name}", cwd=folder)
        assert code == 0, text
        told[arguments] = (outcome(outputs), time.monotonic() - began)
    return told


# The share of the kills that each command gets: joblib starts its workers cold, which takes seconds each time.
CASES = {
    "single": (SINGLE, (), 1.0),
    "basic": (SWEEP, ("hydra/launcher=basic",), 1.0),
    "packed": (SWEEP, ("hydra/launcher=packed",), 1.0),
    "joblib": (SWEEP, ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), 4.0),
}
LONG = {"single": 40, "basic": 80, "packed": 40, "joblib": 40}


def kill_again_and_again(folder: Path, untouched, case: str, times: int) -> Killer:
    arguments, launcher, slower = CASES[case]
    expected, seconds = untouched[arguments]
    killer = Killer(folder, (*arguments, *launcher), seconds * slower, expected)
    try:
        killer.kill(times)
    except BaseException:
        print(f"FAULTS_SEED={SEED}", *killer.lines, sep="\n")
        raise
    return killer


@pytest.mark.slow
@pytest.mark.parametrize(("case", "times"), [("basic", 3), ("single", 1)])
def test_a_few_kills_change_nothing(tmp_path, untouched, case, times):
    """The short form."""
    kill_again_and_again(tmp_path, untouched, case, times)


@pytest.mark.faults
@pytest.mark.parametrize("case", CASES)
def test_two_hundred_kills_change_nothing(tmp_path, untouched, case):
    """The long form: 200 kills over the four ways in which runs are started."""
    killer = kill_again_and_again(tmp_path, untouched, case, round(LONG[case] * SIZE))
    print(f"{case}: {killer.kills} kills in {killer.rounds} rounds, seed {SEED}: lost 0, doubled 0")
