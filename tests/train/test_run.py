"""One run from its assignment to its record, in this process: what is read, what is yielded, how it ends."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch
from conftest import TINY, merged

from sweeper.engine.augment import EpochOrder
from sweeper.engine.memory import NoRoom
from sweeper.engine.results import EpochResults
from sweeper.runs import record
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import LOCK_FILE
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import RunFailed
from sweeper.system.lock import read_lock
from sweeper.train.attempt import Attempt
from sweeper.train.presence import Presence
from sweeper.train.run import execute_run, run_in_steps
from sweeper.train.signals import SIGNALS
from tests.train.test_assignment import assign


@pytest.fixture(autouse=True)
def process_kept():
    handlers, threads = {number: signal.getsignal(number) for number in SIGNALS}, torch.get_num_threads()
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    torch.set_num_threads(threads)


@pytest.fixture
def reads(monkeypatch) -> Counter:
    """How often `run.json` was read, before the lock and under it."""
    found: Counter = Counter()
    read = record.read_file

    def read_and_count(path, *arguments):
        found["under the lock" if (path.parent / LOCK_FILE).exists() else "before"] += 1
        return read(path, *arguments)

    monkeypatch.setattr(record, "read_file", read_and_count)
    return found


def read_record(assignment) -> dict:
    return json.loads((assignment.directory / "run.json").read_text())


def test_a_run_that_fails_has_all_its_rows_written(tmp_path, monkeypatch):
    write = RunDirectory.write_metrics
    monkeypatch.setattr(
        RunDirectory, "write_metrics", lambda run, rows, every=None: write(run, rows, None if every is None else 60.0)
    )
    monkeypatch.setattr(Attempt, "_show", lambda attempt, row: 1 / (2 - row["epoch"]))  # fails in the second epoch
    assignment = assign(tmp_path, "epochs=3")
    assert execute_run(assignment) is Status.FAILED
    assert len((assignment.directory / "metrics.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("overrides", [(), ("rerun=true",)], ids=["fresh", "rerun"])
def test_the_record_is_read_once_under_the_lock(tmp_path, reads, overrides):
    assignment = assign(tmp_path, "epochs=1", *overrides)
    steps = run_in_steps(assignment)
    next(steps)
    assert reads == Counter({"before": 0 if overrides else 1, "under the lock": 1})
    for _ in steps:
        pass
    assert reads["under the lock"] == 1
    assert read_record(assignment)["status"] == "completed"


def test_a_run_that_goes_on_reads_its_record_once_too(tmp_path, reads):
    assignment = assign(tmp_path)
    steps = run_in_steps(assignment)
    next(steps)
    steps.close()
    RunDirectory(assignment.directory).write_checkpoint({"epoch": 1})
    reads.clear()
    steps = run_in_steps(assignment)
    next(steps)
    assert reads == {"before": 1, "under the lock": 1}
    steps.close()


COUNTED = """
import sys
from sweeper.config import resolved
from sweeper.train import command

resolve, names = resolved.resolve_config, []

def resolve_and_note(cfg, choices):
    config = resolve(cfg, choices)
    names.append(config["seed"])
    return config

resolved.resolve_config = resolve_and_note
code = command.main()
print("resolved", *names)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("multirun", "seeds"), [((), "5"), (("-m", "hydra/launcher=basic"), "5,6")])
def test_a_run_is_resolved_once_for_its_name_its_log_and_its_training(tmp_path, multirun, seeds):
    """In the process that trains it; the plan's own count is another's."""
    command = [sys.executable, "-c", COUNTED, *multirun, *merged(*TINY, "model=mlp", "epochs=1", f"seed={seeds}")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"resolved {seeds.replace(',', ' ')}"
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("outputs/*/*/run.json")]
    assert statuses == ["completed"] * len(seeds.split(","))


def test_a_finished_run_is_answered_without_its_lock(tmp_path, reads):
    assignment = assign(tmp_path, "epochs=1")
    assert execute_run(assignment) is Status.COMPLETED
    reads.clear()
    assert execute_run(assignment) is Status.COMPLETED
    assert reads == {"before": 1}


def test_a_run_that_another_process_trains_is_left_to_it(tmp_path):
    assignment = assign(tmp_path, in_sweep=True)
    with RunDirectory(assignment.directory).lock():
        assert execute_run(assignment) is Status.LOCKED


def test_nothing_starts_in_a_sweep_that_is_being_stopped(tmp_path, monkeypatch):
    stop = SweepStop.begin(tmp_path)
    try:
        stop.request("interrupted")
        assert execute_run(assign(tmp_path, in_sweep=True)) is Status.NOT_STARTED
    finally:
        stop.end()
    assert not list(tmp_path.iterdir())


def test_a_driver_that_closes_a_run_leaves_its_record_as_of_a_process_that_was_killed(tmp_path):
    assignment = assign(tmp_path)
    steps = run_in_steps(assignment)
    next(steps)
    assert Presence.runs_here() == 1
    steps.close()
    assert Presence.runs_here() == 0
    assert read_record(assignment)["status"] == "running" and not (assignment.directory / LOCK_FILE).exists()


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), ValueError("on fire")])
def test_what_a_run_raises_is_its_failure(tmp_path, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("sweeper.train.attempt.load_run_data", fail)
    assignment = assign(tmp_path)
    assert execute_run(assignment) is Status.FAILED
    assert read_record(assignment)["error"].startswith(type(error).__name__)


@pytest.mark.parametrize("statement", [(EpochOrder, "draw"), (EpochResults, "__init__")], ids=["order", "results"])
@pytest.mark.parametrize("error", [SystemExit(3), ValueError("on fire\nand more")])
def test_what_an_epoch_raises_outside_of_its_steps_is_its_failure(statement, error, tmp_path, monkeypatch, caplog):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(*statement, fail)
    assignment = assign(tmp_path)
    with caplog.at_level("ERROR", "sweeper"):
        assert execute_run(assignment) is Status.FAILED
    (said,) = caplog.messages
    recorded = read_record(assignment)["error"]
    assert recorded in ("SystemExit: sys.exit(3)", "ValueError: on fire") and recorded in said and "\n" not in said


def test_memory_that_is_full_of_others_is_told_to_the_driver(tmp_path, monkeypatch):
    def fill(*arguments):
        raise MemoryError

    monkeypatch.setattr("sweeper.train.attempt.load_run_data", fill)
    assignment = assign(tmp_path)
    with Presence("cpu"), pytest.raises(NoRoom, match="out of memory beside 1 other"):
        execute_run(assignment)
    assert (read_record(assignment)["status"], read_record(assignment)["error"]) == ("interrupted", None)


def test_a_disk_on_which_nothing_can_be_written_is_one_line(tmp_path, monkeypatch):
    def full(*arguments, **more):
        raise OSError(28, "No space left on device", str(assignment.directory / "run.json"))

    assignment = assign(tmp_path)
    monkeypatch.setattr(RunDirectory, "write_run", full)
    with pytest.raises(RunFailed, match="No space left on device; when it can be read and written, the same command"):
        execute_run(assignment)


def test_its_lock_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("sweeper.system.lock.NEWS", 0.01)
    assignment, told = assign(tmp_path, "epochs=1", "batch_size=4"), []
    for _ in run_in_steps(assignment):
        time.sleep(0.01)
        told.append((read_lock(assignment.directory / LOCK_FILE) or {}).get("work"))
    epochs = [work["epochs"] for work in told if work]
    assert epochs == sorted(epochs) and any(0 < part < 1 for part in epochs)
