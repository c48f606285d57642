"""A process ends after its parent, whatever either of them is doing; its work gets some seconds."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sweeper.system.processes import process_started

# The child is blocked in a read that nothing ends, and ignores SIGTERM. Its work takes half a second to stop.
CHILD = """
import os, signal, sys, threading, time
from sweeper.system import parent

parent.EVERY = 0.1
signal.signal(signal.SIGTERM, signal.SIG_IGN)
work = threading.Timer(0.5, int)
parent.end_with_parent(int(sys.argv[1]), work.start, work.is_alive)
threading.Thread(target=lambda: (time.sleep(0.2), print(os.getpid(), flush=True))).start()
os.read(os.pipe()[0], 1)
"""
PARENT = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(os.getpid())])
time.sleep(600)
"""


@pytest.mark.parametrize("suspended", ["neither", "parent", "child"])
def test_it_ends_soon_after_its_parent_was_killed(suspended):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert process_started(child) is not None
        if suspended != "neither":
            os.kill({"parent": parent.pid, "child": child}[suspended], signal.SIGSTOP)
        parent.kill()
        parent.wait()
        killed = time.monotonic()
        while process_started(child) is not None and time.monotonic() < killed + 8:
            time.sleep(0.05)
        assert 0.4 < time.monotonic() - killed < 8, "its work was given time, and not for ever"


def test_one_whose_parent_ended_before_it_began_to_watch_ends():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    done = subprocess.run([sys.executable, "-c", CHILD, str(gone.pid)], timeout=60, check=False)
    assert done.returncode == 129


@pytest.mark.parametrize("wrong", ["stop", "busy"])
def test_work_that_raises_or_never_ends_does_not_keep_it(wrong):
    code = """
import os, sys
from sweeper.system import parent
parent.PATIENCE = 0.2
def fail():
    raise ValueError
parent.end_with_parent(1 << 30, fail if sys.argv[1] == "stop" else int, lambda: True)
os.read(os.pipe()[0], 1)
"""
    done = subprocess.run([sys.executable, "-c", code, wrong], capture_output=True, timeout=60, check=False)
    assert done.returncode == 129


def test_a_command_stops_as_by_sigterm_when_the_one_that_started_it_was_killed(tmp_path):
    """It ends what it does and removes its file; what it starts itself isn't bound to the first one."""
    child = """
import os, signal, sys, time
from sweeper.system import parent

parent.EVERY = 0.1
assert "SWEEPER_PARENT" in os.environ
parent.end_with_command()
assert "SWEEPER_PARENT" not in os.environ
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(open(sys.argv[1], "w").write("stopped")))
print(os.getpid(), flush=True)
time.sleep(600)
"""
    code = f"""
import subprocess, sys, time
from sweeper.system.parent import bound_to_this_process
subprocess.Popen([sys.executable, "-c", {child!r}, sys.argv[1]], env=bound_to_this_process())
time.sleep(600)
"""
    file = tmp_path / "file"
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        assert process_started(pid) is not None
        parent.kill()
        deadline = time.monotonic() + 20
        while process_started(pid) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
    assert file.read_text() == "stopped"
