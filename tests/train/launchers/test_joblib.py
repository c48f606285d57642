"""What a sweep knows of joblib's processes: how many, their threads, what would be faster."""

import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import joblib
import pytest

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput
from sweeper.system.processes import process_started
from sweeper.train import threads
from sweeper.train.launchers import joblib as module
from sweeper.train.launchers.joblib import Joblib, workers

JOBLIB = Joblib()


@pytest.fixture
def eight_cores(monkeypatch):
    for place in (threads, module):
        monkeypatch.setattr(place, "cores", lambda: 8)
    monkeypatch.setattr("sweeper.system.machine.cores", lambda: 8)


@pytest.mark.parametrize("n_jobs", [1, 3, -1, -2, -1000])
def test_n_jobs_is_counted_as_joblib_counts(monkeypatch, n_jobs):
    monkeypatch.setattr(module, "cores", joblib.cpu_count)
    assert workers(n_jobs) == JOBLIB.at_a_time({"n_jobs": n_jobs}) == joblib.effective_n_jobs(n_jobs)


@pytest.mark.parametrize("n_jobs", [0, 1.5, True, "two"])
def test_other_numbers_of_processes_are_refused(n_jobs):
    with pytest.raises(BadInput, match=f"^hydra.launcher.n_jobs={n_jobs}: must be the number of parallel runs"):
        JOBLIB.check({"n_jobs": n_jobs})
    JOBLIB.check({"n_jobs": 2})


@pytest.mark.parametrize(("n_jobs", "number"), [(4, 2), (3, 2), (-1, 1), (-7, 4), (100, 1)])
def test_a_new_run_has_its_share_of_the_cores(eight_cores, n_jobs, number):
    assert JOBLIB.threads({"n_jobs": n_jobs}) == number


@pytest.mark.parametrize(("overrides", "n_jobs"), [((), 8), (("device.threads=2",), 4), (("seed=1,2",), 8)])
def test_the_default_has_as_many_runs_at_a_time_as_the_cores_serve(eight_cores, overrides, n_jobs):
    """By all of the command line, read once, as Hydra hands it to the launcher."""
    options = compose_grid(["-m", "dataset=digits", "device=cpu", *overrides]).launcher_options
    assert options["n_jobs"] == JOBLIB.at_a_time(options) == n_jobs


def configs(kind, asked, number):
    return [{"device": {"kind": kind, "threads": asked}}] * number


@pytest.mark.parametrize(
    ("asked", "n_jobs", "runs", "left", "line"),
    [
        (None, 8, 20, 20, None),
        (None, 8, 20, 1, None),
        (None, 16, 20, 20, "8 runs at a time, not 16: each run has 1 thread, cores are 8"),
        (None, 16, 20, 8, None),
        (4, 8, 20, 20, "2 runs at a time, not 8: each run has 4 threads, cores are 8"),
        (None, 8, 2, 2, "each run has 1 thread, and cores stay idle; hydra.launcher.n_jobs=2 gives each 4"),
        (None, 8, 1, 1, "the run has 1 thread, and cores stay idle; hydra.launcher.n_jobs=1 gives it 8"),
        (None, 8, 2, 1, None),  # the other one has 1 thread already
        (2, 4, 2, 2, None),
        (16, 1, 2, 2, None),  # one at a time, whatever its threads
    ],
)
def test_a_sweep_is_told_where_cores_are_too_few_or_stay_idle(eight_cores, asked, n_jobs, runs, left, line):
    assert JOBLIB.advice({"n_jobs": n_jobs}, configs("cpu", asked, left), runs) == line


@pytest.mark.parametrize(
    ("n_jobs", "asked", "found", "runs", "advised"),
    [
        (1, "auto", "cuda", 2, True),
        (1, "cuda", "cpu", 2, True),
        (1, "auto", "mps", 2, False),
        (1, "cpu", "cuda", 2, False),
        (1, "auto", "cuda", 1, False),
        (4, "auto", "cuda", 2, False),
    ],
)
def test_a_sweep_on_one_gpu_is_told_of_the_faster_launcher(monkeypatch, n_jobs, asked, found, runs, advised):
    """Only by what was measured on this GPU for these kinds of runs."""
    monkeypatch.setattr("sweeper.system.machine.probe_kind", lambda: found)
    monkeypatch.setattr(module, "kind_of_work", lambda config: "a kind")
    lines = {}
    for name, gains in {"never": None, "faster": {1: 1.0, 2: 1.22, 3: 1.1}, "slower": {1: 1.0, 2: 0.9}}.items():
        monkeypatch.setattr(module, "known_gains", lambda kinds, gains=gains: gains if kinds == {"a kind"} else None)
        lines[name] = JOBLIB.advice({"n_jobs": n_jobs}, configs(asked, None, runs), runs)
    line = "one run at a time on this GPU; hydra/launcher=packed trains several at once, and "
    line += "2 at a time were 1.22 times as fast on this GPU"
    assert lines == {"never": None, "faster": line if advised else None, "slower": None}


def test_processes_that_die_leave_their_exit_codes():
    """Joblib's own pool, of which one process ends by itself; those that joblib kills after it are none of them."""
    from joblib.externals.loky import ProcessPoolExecutor

    codes: dict[int, int] = {}
    with (
        JOBLIB.exit_codes(codes),
        ProcessPoolExecutor(2) as pool,
        pytest.raises(BrokenProcessPool) as broken,
    ):
        pool.submit(os._exit, 3).result(timeout=60)
    assert JOBLIB.has_lost_a_process(broken.value) and not JOBLIB.has_lost_a_process(ValueError())
    assert list(codes.values()) == [3]


BLOCKED = r"""
import os, time
import joblib
from sweeper.train.launchers.joblib import Joblib

def block(k):
    os.write(1, b"%d\n" % os.getpid())  # in one piece, beside the other process's
    os.read(os.pipe()[0], 1)

with Joblib().bound():
    joblib.Parallel(n_jobs=2)(joblib.delayed(block)(k) for k in range(3))
"""


def test_its_processes_end_after_the_command_was_killed_even_if_they_are_blocked():
    with subprocess.Popen([sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE, text=True) as command:
        try:
            pids = [int(command.stdout.readline()) for _ in range(2)]
            assert all(process_started(pid) is not None for pid in pids)
        finally:
            command.kill()  # leaving the block waits for it
        command.stdout.read()  # to the end of the last process that has it
    assert [process_started(pid) for pid in pids] == [None, None]
