"""What a run shows: a bar on a terminal, one line per epoch elsewhere, nothing inside a sweep."""

import contextlib
import itertools
import os
import pty
import re
import subprocess
import sys
import types

import pytest
from conftest import TINY

from sweeper.train.progress import Progress

ROW = {"epoch": 1, "test_accuracy": 0.5, "train_loss": 1.25, "images_per_second": 1234.5}


def test_a_line_an_epoch_without_a_terminal(capsys):
    progress = Progress(epochs=2, quiet=False)
    progress.show(ROW)
    progress.close()
    line = capsys.readouterr().err
    assert re.fullmatch(r"epoch 1/2  test 50\.00 %  train loss 1\.2500  1,23\d images/s  0 s left\n", line)


def test_a_loss_beyond_any_sense_is_shown_in_short(capsys):
    Progress(epochs=2, quiet=False).show({**ROW, "train_loss": 1.0267e22})
    assert "train loss 1.03e+22  " in capsys.readouterr().err


def test_nothing_inside_a_sweep(capsys):
    progress = Progress(epochs=2, quiet=True)
    progress.show(ROW)
    progress.close()
    assert capsys.readouterr().err == ""


def test_a_run_goes_on_without_a_terminal_that_has_been_closed(monkeypatch):
    ours, theirs = pty.openpty()
    closed = open(theirs, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  closing it writes again, and raises
    os.close(ours)
    monkeypatch.setattr("sys.stderr", closed)
    progress = Progress(epochs=2, quiet=False)
    progress.begin(1)
    progress.show(ROW)
    progress.close()
    with pytest.raises(OSError, match="Input/output error"):
        closed.close()


@pytest.mark.parametrize(("before", "left"), [(0, "39 s"), (80, "31 s")])
def test_after_a_resume_within_an_epoch_the_bar_stands_where_the_run_is(before, left, monkeypatch):
    """A step takes 0.1 s. What was trained before counts for the place and not for the speed."""
    clock, shown = [0.0], []
    monkeypatch.setattr("sweeper.train.progress.time", types.SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(Progress, "_update", lambda self, done, text: shown.append((round(done, 2), text)))
    progress = Progress(epochs=6, quiet=False)
    progress._steps_of_epoch, progress._bar = 100, object()
    for k in range(10):
        clock[0] += 0.1
        progress.step(epochs_done=2, steps=1, before=before * (k == 0))
    assert [shown[0][0], shown[-1][0]] == pytest.approx([2.02 + before / 100, 2.10 + before / 100])
    assert shown[-1][1] == f"{left} left  {10 + before} % of epoch 3"
    clock[0] += 0.1 * (90 - before)
    progress.step(epochs_done=2, steps=90 - before)
    progress.show({**ROW, "epoch": 3})
    assert shown[-1][0] == 3 and shown[-1][1].startswith("30 s left"), "3 epochs of 10 s each"


@pytest.mark.parametrize("bar", [None, object()])
def test_a_run_that_was_stopped_after_the_last_step_of_an_epoch_goes_on(bar, monkeypatch, capsys):
    """Its first turn has no step, only the evaluation."""
    shown = []
    monkeypatch.setattr(Progress, "_update", lambda self, done, text: shown.append((done, text)))
    progress = Progress(epochs=3, quiet=False)
    progress.begin(4)
    progress._bar = bar
    progress.step(epochs_done=1, steps=0, before=4)
    progress.show({**ROW, "epoch": 2})
    text = [*(text for _, text in shown), capsys.readouterr().err][-1 if bar is None else 1]
    assert "unknown time left" in text and "test 50.00 %" in text
    progress.step(epochs_done=2, steps=1)
    progress.show({**ROW, "epoch": 3})
    assert "0 s left" in (shown[-1][1] if bar else capsys.readouterr().err)


@pytest.mark.slow
def test_a_bar_on_a_terminal(tmp_path):
    """In a pseudo-terminal, as a user sees it."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sweeper.train", *TINY]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "━" in text and "2/2" in text and " left  test " in text and "images/s" in text and "completed, test" in text
    assert ": preparing" in text[: text.index("device: ")] and "epoch " not in text[: text.index("data: ")]


@pytest.mark.parametrize("columns", ["80", "40"])
def test_the_bar_moves_within_the_first_epoch_and_the_time_left_is_never_cut(monkeypatch, columns):
    ours, theirs = pty.openpty()
    clock = itertools.count(step=1.0)
    monkeypatch.setattr("sweeper.train.progress.time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    with open(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        progress = Progress(epochs=4000, quiet=False)
        progress.begin(100)
        for _ in range(50):
            progress.step(epochs_done=0, steps=1)
        progress._bar.refresh()
        progress.show(ROW)
        progress.step(epochs_done=1, steps=1)
        progress._bar.refresh()
        progress.close()
    shown = b""
    with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode()))
    assert any("0/4000" in line and " 4 d 15 h left  50 % of " in line for line in lines), lines
    assert any("1/4000" in line and " 2 d 9 h left  test 50." in line for line in lines), lines
    assert all(len(line) <= int(columns) for line in lines)


def test_a_run_of_a_sweep_tells_its_lock_how_far_it_is(monkeypatch):
    clock = itertools.count(step=1.0)
    monkeypatch.setattr("sweeper.train.progress.time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
    progress = Progress(epochs=4, quiet=True)
    progress.begin(100)
    assert progress.facts() == {}
    for _ in range(50):
        progress.step(epochs_done=1, steps=1, before=25)
    assert progress.facts() == {"epochs": 1.75, "pace": 100.0}
    progress.show(ROW | {"epoch": 2})
    assert progress.facts()["epochs"] == 2.0
