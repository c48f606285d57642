"""A thread that a run left behind keeps no process from ending, by the exit code that it had."""

import subprocess
import sys
import time

import pytest

CODE = """
import atexit, sys, threading, time
from sweeper.system.process_end import end_with, outlive_threads
atexit.register(lambda: print("cleaned up"))
{thread}
print("written", end=" ")
sys.exit(end_with(3))
"""


@pytest.mark.parametrize(
    ("thread", "least"),
    [
        ("", 0),
        ("threading.Thread(target=time.sleep, args=(1e6,)).start()", 2),
        ("outlive_threads(); threading.Thread(target=time.sleep, args=(0.2,)).start()", 0.2),
        ("threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()", 0),
    ],
    ids=["none", "endless", "short", "daemon"],
)
def test_the_exit_code_and_the_last_words_are_those_of_the_command(thread, least):
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(thread=thread)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "written cleaned up\n", "")
    assert time.monotonic() - begun >= least


def test_threads_from_before_a_run_are_not_its_own():
    code = """
import threading, time
from sweeper.system.process_end import outlive_threads
def start(name):
    threading.Thread(target=time.sleep, args=(1e6,), name=name).start()
start("before")
before = set(threading.enumerate())
start("its own")
print(outlive_threads(before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "its own\n")


def test_ctrl_c_after_the_last_line_changes_no_exit_code():
    """Libraries take seconds to end; the signal comes in the middle of that."""
    code = """
import atexit, os, signal, sys, types
from sweeper.system.command import run_command
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
sys.modules["a_command"] = types.SimpleNamespace(main=lambda: print("the result") or 1)
sys.exit(run_command("a_command"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "the result\n", "")
