"""A sweep that is stopped, or started twice, ends with the same result as one that nobody touched."""

import json
import os
import re
import shutil
import signal
import types

import pytest
from forked import TABLES_HERE, run_forked, start
from made_runs import make_run

from sweeper.config.command_line import read_command_line
from sweeper.config.grid import expand
from sweeper.config.resolved import Cell
from sweeper.runs.record import read_run
from sweeper.runs.status import Status
from sweeper.train import sweep
from sweeper.train.signals import SIGNALS, STOPPING
from tests.train.test_failures import metrics, rows

pytestmark = pytest.mark.slow

# A run long enough to be caught in the middle, short enough to be trained whole as well.
LONG = (
    "dataset=digits",
    "device=cpu",
    "device.threads=1",
    "epochs=24",
    "dataset.train_limit=600",
    "model.width=8",
    "checkpoint_every=1",
)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untouched")
    arguments = ("-m", "optimizer=lion,sgd", *LONG, "hydra/launcher=basic")
    done = run_forked("train", *arguments, cwd=folder, patch=TABLES_HERE)
    assert done.returncode == 0, done.stderr
    return folder / "outputs"


@pytest.mark.parametrize(("launcher", "name"), [("basic", "SIGINT"), ("joblib", "SIGTERM"), ("joblib", "SIGKILL")])
def test_a_sweep_stopped_in_the_middle_goes_on_to_the_same_result(tmp_path, untouched, launcher, name):
    arguments = ["-m", "optimizer=lion,sgd", *LONG, f"hydra/launcher={launcher}"]
    command = start("train", *arguments, cwd=tmp_path, log=tmp_path / "log")
    run = tmp_path / "outputs" / "digits-cnn"
    while not list(run.glob("*/checkpoint.pt")):
        assert command.wait(0.02) is None, command.text
    if name == "SIGKILL":
        command.kill()
    else:
        os.kill(command.pid, getattr(signal, name))
    code = command.wait(60)  # with the tables; tests/faults/test_signals.py times the stop
    errors = command.text
    assert "Traceback" not in errors
    if name != "SIGKILL":
        assert code == {"SIGINT": 130, "SIGTERM": 143}[name]
        statuses = [json.loads(path.read_text())["status"] for path in run.glob("*/run.json")]
        assert "interrupted" in statuses and "running" not in statuses
        assert errors.count(f"{STOPPING}\n") == 1
    if launcher == "basic":
        assert "1 more not begun; the same command goes on\n" in errors
    done = run_forked("train", *arguments, cwd=tmp_path, patch=TABLES_HERE)
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path / "outputs") == metrics(untouched)
    for path in untouched.glob("*/*/model.safetensors"):
        assert (tmp_path / "outputs" / path.relative_to(untouched)).read_bytes() == path.read_bytes()


def test_a_sweep_that_began_no_run_makes_no_tables(tmp_path, monkeypatch, capfd):
    """As when Ctrl-C comes while its workers start."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    monkeypatch.setattr(sweep, "_prepare", lambda *given: None)
    monkeypatch.setattr(sweep, "_launch", lambda *given: given[-2].request(Status.INTERRUPTED))
    asked = read_command_line(["-m", "dataset=digits", "device=cpu", "seed=1,2"])
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        assert sweep.carry_out(expand(asked), asked, lambda grid: None) == 130
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    out, error = capfd.readouterr()
    assert out == "" and error.endswith("\nnone of 2 runs begun; the same command goes on\n") and "error" not in error
    assert not list(tmp_path.glob("outputs/*.*"))


@pytest.mark.parametrize(
    ("status", "whole", "code"), [("completed", True, 0), ("completed", False, 130), ("interrupted", True, 130)]
)
def test_a_signal_that_comes_when_all_is_done_changes_no_exit_code(tmp_path, status, whole, code):
    cells = [Cell({}, make_run(tmp_path, status=status), 0)]
    signals = types.SimpleNamespace(received=signal.SIGINT, exit_code=130)
    assert sweep._exit_code(cells, signals, None, whole) == code


@pytest.mark.parametrize(("removed", "more"), [(1, ""), (2, " and 1 other"), (3, " and 2 others")])
@pytest.mark.parametrize("cancels", [False, True])
def test_runs_without_a_record_at_a_sweeps_end_are_told_and_are_no_interruption(
    tmp_path, capsys, removed, more, cancels
):
    """A cluster may have cancelled their jobs before they began; else they were moved or removed."""
    cells = [Cell({}, make_run(tmp_path, seed=seed), seed) for seed in (1, 2, 3)]
    for cell in cells[:removed]:
        shutil.rmtree(cell.directory)
    signals = types.SimpleNamespace(received=None)
    assert sweep._exit_code(cells, signals, None, cancels=cancels) == (130 if cancels else 1)
    why = f"{'cancelled before it began, ' if cancels else ''}moved, removed or damaged meanwhile"
    said = f"{cells[0].directory}{more}: no whole record: {why}; the same command goes on\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("damaged", ["run.json", "metrics.csv", "checkpoint.pt"])
def test_a_file_cut_off_in_the_middle_is_taken_up_from_what_is_whole(tmp_path, untouched, damaged):
    """The record of an unfinished run is cut; the same command ends it as if it had never been touched."""
    arguments = ["optimizer=sgd", *LONG]
    command = start("train", *arguments, cwd=tmp_path, log=tmp_path / "log")
    while not (found := list((tmp_path / "outputs").glob("*/*/checkpoint.pt"))):
        assert command.wait(0.02) is None, command.text
    command.kill()
    command.wait()
    file = found[0].with_name(damaged)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    table = run_forked("aggregate", "outputs", cwd=tmp_path)
    assert table.returncode == 0 and len(rows(tmp_path / "outputs" / "results.csv")) == 1
    done = run_forked("train", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    name = found[0].parent.name
    assert metrics(tmp_path / "outputs")[name] == metrics(untouched)[name]
    record = json.loads(found[0].with_name("run.json").read_text())
    assert record["result"]["shared_device"] is not False  # what was killed can't tell


def test_the_same_sweep_started_twice_shares_the_work(tmp_path, untouched):
    arguments = ["-m", "optimizer=lion,sgd", *LONG, "hydra/launcher=basic"]
    logs = [tmp_path / "first", tmp_path / "second"]
    both = [start("train", *arguments, cwd=tmp_path, log=log, patch=TABLES_HERE) for log in logs]
    codes, errors = [command.wait(120) for command in both], [command.text for command in both]
    assert codes == [0, 0], errors
    assert sum(text.count("completed, test") for text in errors) == 2  # each run once, by whichever came first
    assert metrics(tmp_path / "outputs") == metrics(untouched)
    assert not list((tmp_path / "outputs").glob("*/*/run.lock*"))


def test_a_finished_run_that_is_begun_anew_meanwhile_is_answered_as_it_was(tmp_path, capfd, monkeypatch):
    """By another command, with rerun=true."""
    monkeypatch.setattr(sweep, "other_circumstances", lambda *given: [])
    run = make_run(tmp_path)
    record = read_run(run)
    (run / "run.json").unlink()
    sweep._answer(Cell(record["config"], run, 0), record)
    assert "completed already" in capfd.readouterr().out


def test_a_launcher_that_begins_no_run_ends_the_sweep(call, monkeypatch):
    """And isn't called again and again."""
    calls = []
    monkeypatch.setattr("sweeper.train.sweep.train_by_hydra", lambda *given: calls.append(given))
    monkeypatch.setattr("sweeper.train.sweep_end.update_tables", lambda outputs, own: True)
    code, _, err = call("-m", *LONG, "seed=1,2", "hydra/launcher=basic")
    line = r"error: outputs/digits-cnn/sgd-seed1-[0-9a-f]{8}: the launcher ended without beginning this run; its own"
    assert code == 1 and re.search(line, err) and len(calls) == 1
