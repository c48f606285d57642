"""A signal reaches the command that this process runs, once, and its exit code is passed on."""

import os
import signal
import subprocess
import sys

import pytest

from sweeper.system import child


def test_the_exit_code_is_that_of_the_command():
    assert child.run([sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert child.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 137


CHILD = """
import signal, sys, time
got = []
signal.signal(signal.{name}, lambda number, frame: got.append(number))
print("ready", file=sys.stderr, flush=True)
while not got:
    time.sleep(0.01)
time.sleep(0.3)
sys.exit(40 + len(got))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_passed_on_once(name):
    parent = "import sys; from sweeper.system.child import run; sys.exit(run([sys.executable, '-c', sys.argv[1]]))"
    command = [sys.executable, "-c", parent, CHILD.replace("{name}", name)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr.readline() == "ready\n"
        os.killpg(process.pid, getattr(signal, name))  # as a terminal does
        assert process.wait(30) == 41


def test_a_signal_while_the_command_ends_counts_too():
    """As Ctrl-C while a sweep whose runs are done makes its tables."""
    ends = CHILD.replace("{name}", "SIGINT").replace("40 + len(got)", "0")
    parent = "import sys; from sweeper.system.child import run; sys.exit(run([sys.executable, '-c', sys.argv[1]]))"
    with subprocess.Popen([sys.executable, "-c", parent, ends], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def test_a_signal_before_the_command_has_started_reaches_it(monkeypatch):
    start = subprocess.Popen

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*arguments, **options)

    monkeypatch.setattr(child.subprocess, "Popen", interrupted)
    assert child.run([sys.executable, "-c", "import time; time.sleep(20)"]) == 128 + signal.SIGTERM


def test_the_commands_own_table_is_not_printed(capfd):
    words = "import sys; print('a table'); print('news', file=sys.stderr)"
    assert child.run([sys.executable, "-c", words]) == 0
    assert capfd.readouterr() == ("", "news\n")


def test_what_a_command_prints_is_given_beside_its_exit_code():
    assert child.run_and_read([sys.executable, "-c", "print('said'); raise SystemExit(3)"]) == (3, b"said\n")


STEPS = """
import os, signal, sys
from sweeper.system.child import run, run_steps
def steps():
    assert run([sys.executable, "-c", ""]) == 0
    os.kill(os.getpid(), signal.{name})
    raise SystemExit("it went on")
sys.exit(run_steps(steps))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_between_two_commands_ends_in_a_line(name):
    done = subprocess.run(
        [sys.executable, "-c", STEPS.replace("{name}", name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + getattr(signal, name)
    assert done.stderr == "interrupted; the same command goes on\n"


def test_a_second_signal_while_the_first_is_told_changes_nothing():
    """`timeout` sends one to its child and one to its child's group."""
    told = "tell = child.tell; child.tell = lambda text: (os.kill(os.getpid(), signal.{name}), tell(text))"
    steps = STEPS.replace("def steps", f"from sweeper.system import child\n{told}\ndef steps", 1)
    for name in ("SIGINT", "SIGTERM"):
        command = [sys.executable, "-c", steps.replace("{name}", name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (
            128 + getattr(signal, name),
            "interrupted; the same command goes on\n",
        )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (130, "interrupted in the tuning; the same command goes on\n"),
        (129, "interrupted in the tuning; the same command goes on\n"),
        (137, "the tuning ended with exit code 137, so nothing is chosen; the same command goes on\n"),
        (1, "the tuning ended with exit code 1, so nothing is chosen; the same command goes on\n"),
        (2, ""),
    ],
)
def test_a_step_that_stopped_is_named(capsys, code, said):
    child.tell_stopped("the tuning", code, "nothing is chosen")
    assert capsys.readouterr().err == said
