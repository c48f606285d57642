"""No room, no quota, read-only: one clear line and exit code 1, what was written stays whole, and work goes on later.

By errors put in at the writing of each file, and, where one may mount, on a small real disk filled to the page.
"""

import errno
import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from forked import TABLES_HERE, run

from tests.faults.test_kill import SEED, SIZE, check_clean, outcome

EPOCHS = 6
SWEEP = ("-m", "optimizer=sgd,lion", "noise=symmetric", "noise.rate=0.2", "dataset=digits", "dataset.train_limit=300")
SWEEP += ("dataset.test_limit=100", "model=mlp", "model.width=16", f"epochs={EPOCHS}", "device=cpu", "device.threads=1")
SWEEP += ("checkpoint_every=1", "hydra/launcher=basic")

# Lets `after` writings of a file through; all later ones fail. All end with fsync but a new lock. A slow disk skips no
# writing of metrics, so that each has its number.
FAILING = """
import os, pathlib
from sweeper.runs import directory
directory.METRICS_SHARE = float("inf")
written = 0
def check(path):
    global written
    if os.path.basename(path).startswith(".{name}-"):
        written += 1
        if written > {after}:
            raise OSError({number}, os.strerror({number}))
fsync, write_text = os.fsync, pathlib.Path.write_text
os.fsync = lambda file: (check(os.readlink(f"/proc/self/fd/{{file}}")), fsync(file))
def failing_write_text(path, *arguments, **options):
    check(path)
    return write_text(path, *arguments, **options)
pathlib.Path.write_text = failing_write_text
"""

# A small disk has less than a sweep asks for before it starts.
SMALL_IS_ENOUGH = """
from unittest.mock import patch
patch("sweeper.train.rehearse.make_outputs").start()
"""

REASONS = {errno.ENOSPC: "No space left on device", errno.EROFS: "Read-only file system"}
REASONS[errno.EDQUOT] = "Disk quota exceeded"
# A line of one of the sweep's runs, which is named by its optimizer, or of the command.
TOLD = re.compile(r"((sgd|lion), in )?outputs/|error: ")
WRITTEN = {"run.json": 4, "metrics.csv": 2 * EPOCHS, "checkpoint.pt": 2 * EPOCHS - 2, "model.safetensors": 2}
WRITTEN |= {"corrupted_labels.csv": 2, "run.lock": 2}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untouched")
    code, text = run("train", *SWEEP, cwd=folder)
    assert code == 0, text
    return outcome(folder / "outputs")


def check(folder: Path, untouched, code: int, text: str, reason: str) -> None:
    """After a failure: the words, the code, and that the same command goes on as if nothing had been."""
    assert code == 1 and "Traceback" not in text and "Logging error" not in text, text
    lines = [line for line in text.splitlines() if reason in line]
    assert 1 <= len([line for line in lines if TOLD.match(line)]) <= 3, text  # one a run, and all
    assert len([line for line in text.splitlines() if line.startswith("error: ")]) <= 2, text  # the tables' own
    code, text = run("train", *SWEEP, cwd=folder)
    assert code == 0, text
    for log in folder.rglob("train.log"):
        assert "not a whole checkpoint" not in log.read_text()
    assert outcome(folder / "outputs") == untouched
    check_clean(folder / "outputs")


def fail(folder: Path, untouched, name: str, number: int, after: int) -> None:
    patch = FAILING.format(name=name, number=number, after=after)
    code, text = run("train", *SWEEP, cwd=folder, patch=patch)
    check(folder, untouched, code, text, REASONS[number])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number", "after"), [("checkpoint.pt", errno.ENOSPC, 3), ("run.json", errno.EROFS, 1)]
)
def test_a_run_that_can_not_write_says_so_and_goes_on_later(tmp_path, untouched, name, number, after):
    """The short form."""
    fail(tmp_path, untouched, name, number, after)


@pytest.mark.slow
def test_arms_that_can_not_be_recorded_are_told_and_the_same_command_records_them(tmp_path):
    """All runs are trained nevertheless. Given again, too, while there is no room."""
    asked = ("-m", *SWEEP[4:], "epochs=1", "--arm", "slow: optimizer.lr=0.01", "--arm", "fast: optimizer.lr=0.1")
    no_room = FAILING.format(name="arms.json", number=errno.ENOSPC, after=0)
    line = "outputs/arms.json: can't be written, so later tables don't know which arms were compared: No space left on "
    line += "device; make room there, or make it writable; the same command records it"
    for done in (0, 2):
        code, text = run("train", *asked, cwd=tmp_path, patch=no_room + TABLES_HERE)
        assert code == 1 and text.splitlines().count(line) == 1 and f"2 runs, {done} done already" in text, text
        assert len([*tmp_path.glob("outputs/*/*/model.safetensors")]) == 2
    code, text = run("train", *asked, cwd=tmp_path, patch=TABLES_HERE)
    assert code == 0 and line not in text and "2 runs, 2 done already" in text, text
    (comparison,) = json.loads((tmp_path / "outputs" / "arms.json").read_text())["comparisons"]
    assert sorted(comparison) == ["fast", "slow"]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["aggregate", "report"])
def test_tables_that_can_not_be_written_stay_as_they_were(tmp_path, module):
    """Nothing else can be lost of them; they are made anew from the runs."""
    outputs = tmp_path / "outputs"
    subprocess.run(["cp", "-r", Path(__file__).parent.parent / "golden" / "outputs", outputs], check=True)
    name = {"aggregate": "results.csv", "report": "report.html"}[module]
    (outputs / name).write_text("what was there")
    for number, reason in REASONS.items():
        code, text = run(module, cwd=tmp_path, patch=FAILING.format(name=name, number=number, after=0))
        assert code == 2 and text.startswith("error: ") and text.count("\n") == 1 and reason in text, text
        assert (outputs / name).read_text() == "what was there"
        assert not list(outputs.glob(f".{name}-*"))
    assert run(module, cwd=tmp_path)[0] == 0


@pytest.mark.faults
@pytest.mark.parametrize("name", WRITTEN)
def test_no_writing_may_fail_unheard(tmp_path, untouched, name):
    """The long form: each writing of each file of a run fails once, in one of the three ways."""
    numbers = random.Random(f"{SEED} {name}")
    for after in range(WRITTEN[name]):
        folder = tmp_path / str(after)
        folder.mkdir()
        fail(folder, untouched, name, numbers.choice(list(REASONS)), after)
    print(f"{name}: each of its {WRITTEN[name]} writings failed once: nothing lost")


DISK = 2**24  # bytes: far more than the sweep needs


@pytest.fixture
def small_disk(tmp_path):
    """A disk of `DISK` bytes; skipped where one may not mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can't be mounted here: that needs root and a kernel that lets it")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.faults
def test_a_disk_that_fills_up_at_any_page(small_disk, untouched, tmp_path):
    """A real full disk: so many pages are free before the sweep, from none to all but one of those that it leaves."""
    numbers = random.Random(f"{SEED} disk")
    folder, ballast = small_disk / "work", small_disk / "ballast"
    folder.mkdir()
    before = os.statvfs(small_disk).f_bavail
    assert run("train", *SWEEP, cwd=folder, patch=SMALL_IS_ENOUGH + TABLES_HERE)[0] == 0
    needed = before - os.statvfs(small_disk).f_bavail
    subprocess.run(["rm", "-r", folder], check=True)
    few = sorted(numbers.sample(range(needed - 1), round(30 * SIZE)))
    full_in_runs = 0
    for pages in (*few, needed - 1):
        folder.mkdir()
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(0, free.f_bavail - pages) * free.f_frsize))
        code, text = run("train", *SWEEP, cwd=folder, patch=SMALL_IS_ENOUGH + TABLES_HERE, log=tmp_path / "log")
        assert code in (1, 2) and "No space left" in text and "Traceback" not in text, (pages, text)
        assert [line for line in text.splitlines() if TOLD.match(line) or line.startswith("no report")], text
        full_in_runs += ": failed: " in text or code == 2
        ballast.unlink()
        code, text = run("train", *SWEEP, cwd=folder, patch=SMALL_IS_ENOUGH + TABLES_HERE, log=tmp_path / "log")
        assert code == 0, (pages, text)
        assert outcome(folder / "outputs") == untouched
        subprocess.run(["rm", "-r", folder], check=True)
    assert full_in_runs > len(few) / 3  # else the numbers of pages don't fit what a run writes
    print(f"a real disk: full at {len(few) + 1} numbers of free pages, {full_in_runs} of them in a run: nothing lost")
