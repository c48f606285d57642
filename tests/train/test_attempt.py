"""What stops a run while it trains, and what is known of it then."""

import signal

import pytest

from sweeper.engine.loop import Stopped
from sweeper.engine.numerics import keep
from sweeper.runs.directory import RunDirectory
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.train import attempt as module
from sweeper.train.attempt import Attempt
from sweeper.train.earlier import Earlier
from sweeper.train.outcome import Pruned
from sweeper.train.signals import StopSignals
from sweeper.train.trackers.tracking import Tracking
from tests.train.test_assignment import assign
from tests.train.test_run import process_kept  # noqa: F401


def attempt(outputs, *overrides: str, earlier=None, sweep=None, **more) -> Attempt:
    assignment = assign(outputs, *overrides, **more)
    run, config = RunDirectory(assignment.directory), assignment.config
    kept = keep(config["device"], 1, None, "cpu")
    return Attempt(assignment, run, Earlier(earlier), kept, Tracking(config, run), sweep)


def take_all(attempt: Attempt) -> None:
    try:
        for _ in attempt.steps(lambda: None):
            pass
    finally:
        attempt.close()


def test_a_search_prunes_by_its_bars_after_an_epoch(tmp_path):
    pruned = attempt(tmp_path, "dataset.validation_fraction=0.2", bars=[1.01, None])
    with pytest.raises(Pruned, match="pruned after epoch 1: best validation accuracy"):
        take_all(pruned)
    result = pruned.result(Status.PRUNED)
    assert result["epochs_done"] == len(pruned.rows) == 1 and result["final_test_accuracy"] is None


def stop_by_signal(stopped):
    """After its first step."""
    steps = stopped.steps(lambda: None)
    next(steps)
    StopSignals.installed().received = signal.SIGTERM
    with pytest.raises(Stopped):
        next(steps)
    stopped.close()


def test_a_signal_stops_it_and_its_sweep(tmp_path):
    sweep = SweepStop(tmp_path / ".stop-x")
    stopped = attempt(tmp_path, sweep=sweep, in_sweep=True)
    stop_by_signal(stopped)
    assert sweep.reason() == "interrupted" and (stopped._run.path / "checkpoint.pt").exists()


def test_its_lock_is_looked_at_while_it_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECK_LOCK_EVERY", 0.0)
    looked = []
    for _ in (trained := attempt(tmp_path, "epochs=1")).steps(lambda: looked.append(1)):
        pass
    trained.close()
    assert len(looked) > 3


def test_it_goes_on_counting_what_it_cost_and_whether_it_shared_its_device(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sweeper.train.presence.shared_temporary_folder", lambda: tmp_path / "temporary"
    )  # others may train
    earlier = {"environment": {"device_seconds": 1000.0}, "result": {"shared_device": True}}
    fresh = attempt(tmp_path, "epochs=1")
    RunDirectory(tmp_path / "other").write_metrics([])
    take_all(fresh)
    assert fresh.result(Status.COMPLETED)["shared_device"] is False
    assert fresh.environment["device_seconds"] < 900
    again = attempt(tmp_path / "again", "epochs=1", earlier=earlier)
    take_all(again)
    again.result(Status.COMPLETED)
    assert again.environment["device_seconds"] > 1000
    assert attempt(tmp_path, parallel=2).result(Status.FAILED)["shared_device"] is True


@pytest.mark.parametrize("others", [True, None])
def test_it_shared_its_device_also_when_it_was_stopped(tmp_path, monkeypatch, others):
    """As its record says then: a later command goes on from it."""

    def look(presence):
        presence.others = others

    monkeypatch.setattr("sweeper.train.presence.Presence.look", look)
    stopped = attempt(tmp_path)
    stop_by_signal(stopped)
    assert stopped.result(Status.INTERRUPTED)["shared_device"] is others


def test_memory_that_ran_out_before_there_were_data_is_not_explained(tmp_path):
    assert attempt(tmp_path).explain_out_of_memory() is None
