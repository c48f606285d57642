"""Each exception that ends a run is one status and one line, decided in one place."""

import asyncio
import logging

import pytest
import torch

from sweeper.engine import memory
from sweeper.engine.loop import Diverged, Stopped
from sweeper.engine.memory import DeviceLost
from sweeper.runs.record import Refused
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, RunFailed
from sweeper.system.lock import LockLost
from sweeper.train.outcome import Outcome, Pruned, classify, report


def raised(error: BaseException, path, signalled: bool = False, others: int = 0) -> Outcome:
    try:
        raise error
    except BaseException as failure:
        return classify(failure, path, signalled, others)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (Stopped(), Status.INTERRUPTED, None),
        (Pruned("pruned after epoch 2"), Status.PRUNED, "pruned after epoch 2"),
        (Diverged("at epoch 1"), Status.DIVERGED, "at epoch 1"),
        (BadInput("no such model"), Status.FAILED, "no such model"),
        (RunFailed("made on other data"), Status.FAILED, "made on other data"),
        (Refused("run.json: can't be read"), Status.FAILED, "run.json: can't be read"),
        (ValueError("first\nsecond"), Status.FAILED, "ValueError: first"),
        (SystemExit(3), Status.FAILED, "SystemExit: sys.exit(3)"),
        (GeneratorExit(), Status.FAILED, "GeneratorExit"),
        (asyncio.CancelledError(), Status.FAILED, "CancelledError"),
        (KeyboardInterrupt(), Status.FAILED, "KeyboardInterrupt"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_exception_has_its_status_and_line(tmp_path, error, status, line):
    assert raised(error, tmp_path) == Outcome(status, line)


def test_what_a_system_call_failed_with_names_the_file_within_the_run(tmp_path):
    outcome = raised(OSError(28, "No space left on device", f"{tmp_path}/metrics.csv"), tmp_path)
    assert outcome == Outcome(Status.FAILED, "metrics.csv: No space left on device")


def test_an_interrupt_is_a_stop_where_this_process_was_signalled(tmp_path):
    assert raised(KeyboardInterrupt(), tmp_path, signalled=True) == Outcome(Status.INTERRUPTED)
    assert raised(SystemExit(3), tmp_path, signalled=True).status is Status.FAILED


@pytest.mark.parametrize("error", [MemoryError(), torch.cuda.OutOfMemoryError("CUDA out of memory. Tried …")])
def test_memory_that_is_full_of_others_is_no_failure(tmp_path, error):
    alone, beside = raised(error, tmp_path), raised(error, tmp_path, others=2)
    assert (alone.status, alone.out_of_memory, alone.no_room) == (Status.FAILED, True, False)
    assert beside == Outcome(Status.INTERRUPTED, no_room=True)


def test_a_lost_lock_and_a_lost_device_are_no_end_of_the_run(tmp_path, monkeypatch):
    with pytest.raises(LockLost, match="another"):
        raised(LockLost("another process has it"), tmp_path)
    lost = RuntimeError("CUDA error: unspecified launch failure")
    monkeypatch.setattr(memory, "device_answers", lambda: True)
    assert raised(lost, tmp_path) == Outcome(Status.FAILED, "RuntimeError: CUDA error: unspecified launch failure")
    monkeypatch.setattr(memory, "device_answers", lambda: False)
    with pytest.raises(DeviceLost, match="the GPU is lost to this process"):
        raised(lost, tmp_path)


@pytest.mark.parametrize(("error", "kept"), [(ValueError("x"), True), (OSError("x"), True), (BadInput("x"), False)])
def test_the_traceback_of_what_nobody_expected_is_in_the_log_alone(tmp_path, caplog, error, kept):
    caplog.set_level(logging.DEBUG, "sweeper")
    raised(error, tmp_path)
    assert ("Traceback" in caplog.text) == kept
    assert all(record.levelno == logging.DEBUG for record in caplog.records)


RESULT = {"final_test_accuracy": 0.9, "best_test_accuracy": 0.91, "best_epoch": 2, "train_seconds": 61.0}
LINES = {
    Status.FAILED: "failed: why (more in its train.log)",
    Status.DIVERGED: "diverged: why",
    Status.PRUNED: "why",
    Status.INTERRUPTED: "interrupted after epoch 2; the same command goes on",
    Status.COMPLETED: "completed, test 90.00 % (best 91.00 % in epoch 2), 1 min 1 s of training",
}


@pytest.mark.parametrize("status", LINES)
def test_a_run_of_a_sweep_is_named_by_what_varies_and_found_by_its_directory(tmp_path, caplog, status):
    caplog.set_level(logging.INFO, "sweeper")
    report(tmp_path, status, "why", RESULT | {"epochs_done": 2}, "sgd, lr 0.3")
    completed = f"sgd, lr 0.3: {LINES[status]}; {tmp_path}"
    other = f"sgd, lr 0.3, in {tmp_path}: {LINES[status]}"
    assert caplog.messages == [completed if status is Status.COMPLETED else other]


@pytest.mark.parametrize("status", LINES)
def test_the_end_is_one_line(tmp_path, caplog, status):
    caplog.set_level(logging.INFO, "sweeper")
    report(tmp_path, status, "why", RESULT | {"epochs_done": 2})
    assert [message.partition(": ")[2] for message in caplog.messages] == [LINES[status]]
