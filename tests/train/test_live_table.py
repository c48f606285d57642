"""A sweep on a terminal shows the table, and above it whatever goes wrong, by any process."""

import os
import re
import sys

import pytest
from conftest import TINY
from made_runs import make_run

from sweeper.train import live_table as sweep_show
from tests.watch.test_command import Terminal

SWEEP = [sys.executable, "-m", "sweeper.train", "-m", "optimizer=sgd", "seed=1,2", "model=mlp", *TINY]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("JPY_PARENT_PID", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.slow
def test_a_sweep_on_a_terminal_shows_its_runs_and_the_failed_ones_reason(folder):
    (folder / "failing.py").write_text(
        "import torch\n"
        "class Failing(torch.optim.SGD):\n"
        "    steps = 0\n"
        "    def step(self, closure=None):\n"
        "        self.steps += 1\n"
        "        if self.steps == 8:  # later than the steps that are tried before a sweep\n"
        "            raise RuntimeError('this one fails')\n"
        "        super().step(closure)\n"
    )
    config = folder / "mine" / "optimizer"
    config.mkdir(parents=True)
    (config / "failing.yaml").write_text("_target_: failing.Failing\n_partial_: true\nlr: 0.1\n")
    command = [
        *SWEEP[:3],
        "--config-dir",
        "mine",
        "-m",
        "optimizer=sgd,failing",
        "model=mlp",
        *TINY,
        "hydra/launcher=basic",
    ]
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    terminal = Terminal(*command, PYTHONPATH=path)
    terminal.read_until(None, 120)
    assert terminal.process.wait() == 1
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.text)
    assert re.search(r"failing-seed1-\w+: failed: RuntimeError: this one fails \(more in its train.log\)", plain)
    assert re.search(r"\nsgd +completed +2/2 ", plain) and "1 failed, 1 completed" in plain
    assert ": completed, test" not in plain  # the table tells that
    assert plain.rindex("this machine: load") < plain.index("written: outputs/results.csv")
    assert "page: outputs/report.html" in plain and "Traceback" not in plain
    assert "completed, test" in next(folder.glob("outputs/digits-mlp/sgd*/train.log")).read_text()
    assert not list((folder / "outputs").glob(".s*"))


@pytest.mark.slow
def test_an_interrupted_sweep_leaves_the_terminal_as_it_was(folder):
    terminal = Terminal(*SWEEP, "epochs=100000", "hydra/launcher=basic")
    terminal.read_until("running")
    os.killpg(terminal.process.pid, 2)  # as Ctrl-C does: all processes get it
    text = terminal.read_until(None, 120)
    assert terminal.process.wait() == 130
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)
    assert "interrupted after epoch" in plain and "1 waiting, 1 interrupted" in plain and "Traceback" not in plain
    assert text.rindex("\x1b[?25h") < text.index("written: ")


def test_lines_of_other_processes_stand_above_the_table(folder):
    code = """
import subprocess, sys
from pathlib import Path
from sweeper.train import live_table as sweep_show
sweep_show.show_sweep(Path("outputs"))
subprocess.run([sys.executable, "-c", "import sys; print('[red]from another', file=sys.stderr)"], check=True)
sweep_show.end_show()
print("the end")
"""
    make_run(folder / "outputs", "failed", error="no memory")
    terminal = Terminal(sys.executable, "-c", code)
    text = terminal.read_until(None)
    assert terminal.process.wait() == 0
    assert text.index("[red]from another") < text.rindex("no memory") < text.index("the end")


def test_lines_reach_the_terminal_when_the_table_is_gone(folder):
    code = """
import os, signal, sys, time
from pathlib import Path
from sweeper.train import live_table as sweep_show
sweep_show.show_sweep(Path("nowhere"))  # the table's process ends at once: there is no such folder
assert sweep_show.is_shown() and not sys.stderr.isatty()
sweep_show._show._table.wait()
print("a line", file=sys.stderr)
sweep_show.end_show()
assert not sweep_show.is_shown() and sys.stderr.isatty()
print("another", file=sys.stderr)
"""
    terminal = Terminal(sys.executable, "-c", code)
    text = terminal.read_until(None)
    assert terminal.process.wait() == 0 and "a line" in text and text.rstrip().endswith("another")


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "dumb"), ("JPY_PARENT_PID", "1"), ("COLAB_RELEASE_TAG", "1"), ("TERM", "xterm")]
)
def test_only_a_terminal_that_can_gets_a_table(folder, monkeypatch, name, value):
    """A notebook's output is no terminal, though it says so; nor is a file."""
    begun = []
    monkeypatch.setattr(sweep_show, "_Show", lambda: begun.append(1))
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: value != "xterm", raising=False)
    sweep_show.show_sweep(folder)
    assert begun == []
