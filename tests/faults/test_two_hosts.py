"""One outputs folder on two machines: names, clocks and what each sees of the other's files are their own.

Both are processes of this machine that take themselves for others (see `forked.py`): another host name and boot, a
clock that is an hour wrong, and a lock file that they read anew only every so often, as shared folders keep it.
"""

import os
import signal
import time

import pytest
from forked import Command, run, start

from tests.faults.test_kill import check_clean, outcome

SWEEP = (
    "-m",
    "optimizer=sgd,lion",
    "seed=1,2,3",
    "dataset=digits",
    "dataset.train_limit=300",
    "dataset.test_limit=100",
)
SWEEP += ("model=mlp", "model.width=16", "epochs=40", "device=cpu", "device.threads=1", "checkpoint_every=1")
SWEEP += ("hydra/launcher=basic",)

# A heartbeat of 0.2 s instead of 5, and 3 s of patience instead of 60; so half a second stands for about ten.
HOST = """
import time
from sweeper.runs import sweep_files
from sweeper.system import lock
lock.HEARTBEAT, lock.PATIENCE, DELAY = 0.2, 3.0, 0.5

this_process = lock.this_process
lock.this_process = sweep_files.this_process = lambda: this_process() | {{"host": "{name}", "boot": "{name}"}}

clock = time.time
time.time = lambda: clock() + {skew}

read, write, create, seen = lock._read_bytes, lock.write_atomically, lock.create_whole, {{}}
def read_late(path):
    if path not in seen or time.monotonic() - seen[path][0] > DELAY:
        seen[path] = time.monotonic(), read(path)
    return seen[path][1]
def own(change):
    def changed(path, *arguments, **options):
        seen.pop(path, None)  # one's own changes are seen at once
        return change(path, *arguments, **options)
    return changed
lock._read_bytes, lock.write_atomically, lock.create_whole = read_late, own(write), own(create)
"""
HOUR = 3600
ALPHA, BETA = HOST.format(name="alpha", skew=HOUR), HOST.format(name="beta", skew=-HOUR)

# Long enough to be caught in the middle of a run.
SLOWLY = """
import time
from sweeper.engine.augment import EpochOrder
draw = EpochOrder.draw
EpochOrder.draw = lambda self, seed, epoch: (time.sleep(0.05), draw(self, seed, epoch))
"""
# In the middle of its first run for as long as the test needs, however slow this machine is.
STUCK = SLOWLY.replace("0.05", "600 if epoch > 2 else 0")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untouched")
    code, text = run("train", *SWEEP, cwd=folder)
    assert code == 0, text
    return outcome(folder / "outputs")


def ends_well(*commands: Command) -> list[str]:
    codes = [command.wait(120) for command in commands]
    texts = [command.text for command in commands]
    assert codes == [0] * len(commands), (codes, texts)
    assert not any("Traceback" in text for text in texts), texts
    return texts


@pytest.mark.faults
def test_a_sweep_started_on_two_hosts_is_shared_between_them(tmp_path, untouched):
    """Each run is trained once, by whichever came first, and both see the whole."""
    hosts = {"alpha": ALPHA, "beta": BETA}
    both = [start("train", *SWEEP, cwd=tmp_path, log=tmp_path / k, patch=hosts[k] + SLOWLY) for k in hosts]
    texts = ends_well(*both)
    done = [text.count(": completed, test ") for text in texts]
    assert sum(done) == 6 and min(done) > 0, texts
    assert outcome(tmp_path / "outputs") == untouched
    check_clean(tmp_path / "outputs")


@pytest.mark.parametrize(
    ("dead", "alive"),
    [
        pytest.param(ALPHA, BETA, id="clock behind", marks=pytest.mark.slow),
        pytest.param(BETA, ALPHA, id="clock ahead", marks=pytest.mark.faults),
    ],
)
def test_a_run_whose_owner_died_on_another_host_is_taken_over(tmp_path, untouched, dead, alive):
    """By a sweep that began while the owner still lived, and that waits until its counter stands still."""
    owner = start("train", *SWEEP, cwd=tmp_path, log=tmp_path / "dead", patch=dead + STUCK)
    while not list(tmp_path.glob("outputs/*/*/checkpoint.pt")):
        assert owner.wait(0.02) is None, owner.text
    heir = start("train", *SWEEP, cwd=tmp_path, log=tmp_path / "alive", patch=alive)
    while ": completed, test " not in heir.text:
        assert heir.wait(0.02) is None, heir.text
    owner.kill()
    owner.wait()
    ends_well(heir)
    assert outcome(tmp_path / "outputs") == untouched
    for path in (tmp_path / "outputs").glob(".sweep-*"):  # on another machine its sweep may be at work: for a day
        os.utime(path, (0, 0))
    run("train", *SWEEP, cwd=tmp_path)
    check_clean(tmp_path / "outputs")


@pytest.mark.faults
def test_a_living_owner_on_another_host_is_waited_for(tmp_path, untouched):
    """However wrong the clocks, and although it is suspended for less than the patience of others."""
    owner = start("train", *SWEEP, cwd=tmp_path, log=tmp_path / "owner", patch=ALPHA + SLOWLY)
    while not list(tmp_path.glob("outputs/*/*/checkpoint.pt")):
        assert owner.wait(0.02) is None, owner.text
    other = start("train", *SWEEP, cwd=tmp_path, log=tmp_path / "other", patch=BETA + SLOWLY)
    time.sleep(1)
    os.kill(owner.pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(owner.pid, signal.SIGCONT)
    texts = ends_well(owner, other)
    assert sum(text.count(": completed, test ") for text in texts) == 6 and "took this run over" not in "".join(texts)
    assert outcome(tmp_path / "outputs") == untouched
